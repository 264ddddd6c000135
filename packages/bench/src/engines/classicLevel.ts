/**
 * `classic-level` (LevelDB) with one key an entry.
 *
 * As its documentation says is fast: a large write buffer and large files for bulk loads, a
 * chained batch, keys and values as views, `getSync` for one entry,
 * `highWaterMarkBytes` as large as what `nextv` asks for. A flush is written
 * with `sync`.
 */
import { ClassicLevel } from "classic-level"
import { absent, type Engine, type Entries, type Host, type Ids, type LedgerEntries } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"
import * as Keys from "./keys.ts"

export const start = async (): Promise<Host> => inProcess({ open, cachedEntrySize: Keys.recordSize })

type Level = ClassicLevel<Uint8Array, Uint8Array>

const open = async (directory: string, cacheSize: number): Promise<Engine> => {
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: 64 * 1024 * 1024,
    maxFileSize: 64 * 1024 * 1024,
    cacheSize
  })
  await level.open()
  return new Classic(level)
}

/** How many entries one read of an iterator brings. */
const entriesPerRead = 1000

class Classic implements Engine {
  readonly #level: Level
  #batch: ReturnType<Level["batch"]> | undefined

  constructor(level: Level) {
    this.#level = level
  }

  put = (entries: Entries, from: number, to: number): void => {
    this.#batch ??= this.#level.batch()
    const records = Keys.records(entries, from, to)
    for (let start = 0; start < records.length; start += Keys.recordSize) {
      this.#batch.put(
        records.subarray(start, start + Keys.keySize),
        records.subarray(start + Keys.keySize, start + Keys.recordSize)
      )
    }
  }

  commit = async (): Promise<void> => {
    const batch = this.#batch
    this.#batch = undefined
    await batch?.write({ sync: true })
  }

  getMany = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    const keys: Array<Uint8Array> = []
    for (let at = 0; at < locations.length; at++) keys.push(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n))
    const values = await this.#level.getMany(keys)
    for (let at = 0; at < locations.length; at++) locations[at] = locationOf(values[at])
  }

  getEach = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    for (let at = 0; at < locations.length; at++) {
      locations[at] = locationOf(this.#level.getSync(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n)))
    }
  }

  scan = async (ledgerId: bigint, into: LedgerEntries): Promise<number> => {
    const iterator = this.#level.iterator({
      ...rangeOf(ledgerId),
      highWaterMarkBytes: entriesPerRead * Keys.recordSize
    })
    let count = 0
    for (
      let read = await iterator.nextv(entriesPerRead);
      read.length > 0;
      read = await iterator.nextv(entriesPerRead)
    ) {
      for (const [key, value] of read) {
        into.entryIds[count] = Keys.entryIdOf(key)
        into.locations[count] = Keys.locationOf(value)
        count += 1
      }
    }
    await iterator.close()
    return count
  }

  lastEntries = async (ledgerIds: BigInt64Array, entryIds: BigInt64Array): Promise<void> => {
    for (let at = 0; at < entryIds.length; at++) {
      const iterator = this.#level.keys({ ...rangeOf(ledgerIds[at] ?? 0n), reverse: true, limit: 1 })
      const key = await iterator.next()
      entryIds[at] = key === undefined ? absent : Keys.entryIdOf(key)
      await iterator.close()
    }
  }

  deleteLedger = async (ledgerId: bigint): Promise<void> => {
    await this.#level.clear(rangeOf(ledgerId))
    // `clear` takes no `sync`; a write that does brings what was logged before it to disk too.
    await this.#level.del(Keys.key(ledgerId, 0n), { sync: true })
  }

  compact = (): Promise<void> => this.#level.compactRange(Keys.key(0n, 0n), Keys.key(Keys.maxEntryId, Keys.maxEntryId))

  close = (): Promise<void> => this.#level.close()
}

const rangeOf = (ledgerId: bigint) => ({ gte: Keys.key(ledgerId, 0n), lte: Keys.key(ledgerId, Keys.maxEntryId) })

const locationOf = (value: Uint8Array | undefined): bigint => (value === undefined ? absent : Keys.locationOf(value))
