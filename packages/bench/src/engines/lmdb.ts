/**
 * `lmdb` with one key an entry.
 *
 * As its documentation says is fast: a key encoder and a value encoder of one's
 * own, so that neither becomes a Buffer; asynchronous puts, which one
 * transaction on a thread of its own writes; synchronous gets into its shared
 * buffer; `noMemInit`. A flush waits for `flushed`. Its cache is the file
 * itself, mapped into memory, so a size of the cache means nothing to it.
 */
import * as Lmdb from "lmdb"
import { absent, type Engine, type Entries, type Host, type Ids, type LedgerEntries } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"
import * as Keys from "./keys.ts"

export const start = async (): Promise<Host> => inProcess({ open, cachedEntrySize: Keys.recordSize })

interface EntryKey {
  ledgerId: bigint
  entryId: bigint
}

interface Range {
  readonly start: EntryKey
  readonly end: EntryKey
  readonly reverse?: boolean
  readonly limit?: number
}

/** The part of an lmdb database that is used here, with the keys of our key encoder. A key that is read is an entry id. */
interface Database {
  put(key: EntryKey, location: bigint): Promise<boolean>
  remove(key: EntryKey): Promise<boolean>
  getBinaryFast(key: EntryKey): Uint8Array | undefined
  getRange(range: Range): Iterable<{ readonly key: bigint; readonly value: bigint }>
  getKeys(range: Range): Iterable<bigint>
  readonly flushed: Promise<boolean>
  close(): Promise<void>
}

const open = async (directory: string): Promise<Engine> => {
  const database: unknown = Lmdb.open({
    path: directory,
    noSubdir: false,
    noMemInit: true,
    keyEncoder: {
      writeKey: ({ entryId, ledgerId }: EntryKey, target: Uint8Array, start: number): number => {
        const view = targets.of(target)
        view.setBigInt64(start, ledgerId)
        view.setBigInt64(start + 8, entryId)
        return start + Keys.keySize
      },
      readKey: (source: Uint8Array, start: number): bigint => sources.of(source).getBigInt64(start + 8)
    },
    encoder: {
      encode: (location: bigint): Uint8Array => {
        const bytes = Buffer.allocUnsafe(Keys.valueSize)
        bytes.writeBigInt64BE(location)
        return bytes
      },
      decode: (bytes: Uint8Array): bigint => values.of(bytes).getBigInt64(0)
    }
  })
  // The types of lmdb know no keys but those of its own encoders.
  return new LmdbEngine(database as Database)
}

/** The view of the buffer that lmdb passes again and again. */
class Viewer {
  #bytes: Uint8Array | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))

  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset)
    }
    return this.#view
  }
}

const targets = new Viewer()
const sources = new Viewer()
const values = new Viewer()

class LmdbEngine implements Engine {
  readonly #database: Database
  readonly #key: EntryKey = { ledgerId: 0n, entryId: 0n }

  constructor(database: Database) {
    this.#database = database
  }

  put = ({ entryIds, ledgerIds, locations }: Entries, from: number, to: number): void => {
    const key = this.#key
    for (let at = from; at < to; at++) {
      key.ledgerId = ledgerIds[at] ?? 0n
      key.entryId = entryIds[at] ?? 0n
      void this.#database.put(key, locations[at] ?? 0n)
    }
  }

  commit = async (): Promise<void> => {
    await this.#database.flushed
  }

  getMany = (ids: Ids, locations: BigInt64Array): Promise<void> => this.getEach(ids, locations)

  getEach = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    const key = this.#key
    for (let at = 0; at < locations.length; at++) {
      key.ledgerId = ledgerIds[at] ?? 0n
      key.entryId = entryIds[at] ?? 0n
      const value = this.#database.getBinaryFast(key)
      locations[at] = value === undefined ? absent : values.of(value).getBigInt64(0)
    }
  }

  scan = async (ledgerId: bigint, into: LedgerEntries): Promise<number> => {
    let count = 0
    const range = { start: { ledgerId, entryId: 0n }, end: { ledgerId: ledgerId + 1n, entryId: 0n } }
    for (const { key, value } of this.#database.getRange(range)) {
      into.entryIds[count] = key
      into.locations[count] = value
      count += 1
    }
    return count
  }

  lastEntries = async (ledgerIds: BigInt64Array, entryIds: BigInt64Array): Promise<void> => {
    for (let at = 0; at < entryIds.length; at++) {
      const ledgerId = ledgerIds[at] ?? 0n
      const range = {
        start: { ledgerId, entryId: Keys.maxEntryId },
        end: { ledgerId: ledgerId - 1n, entryId: Keys.maxEntryId },
        reverse: true,
        limit: 1
      }
      entryIds[at] = absent
      for (const entryId of this.#database.getKeys(range)) entryIds[at] = entryId
    }
  }

  deleteLedger = async (ledgerId: bigint): Promise<void> => {
    const range = { start: { ledgerId, entryId: 0n }, end: { ledgerId: ledgerId + 1n, entryId: 0n } }
    for (const entryId of this.#database.getKeys(range)) void this.#database.remove({ ledgerId, entryId })
    await this.#database.flushed
  }

  compact = async (): Promise<void> => {}

  close = (): Promise<void> => this.#database.close()
}
