/**
 * `rocksdb-native` with one key an entry: BookKeeper's layout on our own engine.
 *
 * Its options are those of the RocksDB service. A flush is one write batch,
 * followed by an fdatasync of the write-ahead log, as a "sync" write of ours. It
 * has no option for the size of its block cache, which is RocksDB's 32 MiB.
 */
import Binding from "rocksdb-native"
import { absent, type Engine, type Entries, type Host, type Ids, type LedgerEntries } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"
import * as Keys from "./keys.ts"
import { WalSync } from "./walSync.ts"

export const start = async (): Promise<Host> => inProcess({ open, cachedEntrySize: Keys.recordSize })

const open = async (directory: string): Promise<Engine> => {
  const binding = new Binding(directory, {
    readOnly: false,
    createIfMissing: true,
    writeBufferSize: 64 * 1024 * 1024,
    blockCache: true,
    tableCacheIndexAndFilterBlocks: true,
    filterPolicy: new Binding.BloomFilterPolicy(10),
    tableFormatVersion: 6
  })
  await binding.ready()
  return new RocksDBNative(binding, new WalSync(directory))
}

class RocksDBNative implements Engine {
  readonly #binding: Binding
  readonly #wal: WalSync
  #batch: Binding.WriteBatch | undefined

  constructor(binding: Binding, wal: WalSync) {
    this.#binding = binding
    this.#wal = wal
  }

  put = (entries: Entries, from: number, to: number): void => {
    this.#batch ??= this.#binding.write({ capacity: entries.ledgerIds.length, autoDestroy: true })
    const records = Keys.records(entries, from, to)
    for (let start = 0; start < records.length; start += Keys.recordSize) {
      this.#batch.tryPut(
        records.subarray(start, start + Keys.keySize),
        records.subarray(start + Keys.keySize, start + Keys.recordSize)
      )
    }
  }

  commit = async (): Promise<void> => {
    const batch = this.#batch
    this.#batch = undefined
    await batch?.flush()
    await this.#wal.sync()
  }

  getMany = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    const batch = this.#binding.read({ capacity: locations.length, autoDestroy: true })
    const pending: Array<Promise<Uint8Array | null>> = []
    for (let at = 0; at < locations.length; at++) {
      pending.push(batch.get(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n)))
    }
    batch.tryFlush()
    const values = await Promise.all(pending)
    for (let at = 0; at < locations.length; at++) {
      const value = values[at]
      locations[at] = value ? Keys.locationOf(value) : absent
    }
  }

  getEach = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    for (let at = 0; at < locations.length; at++) {
      const batch = this.#binding.read({ capacity: 1, autoDestroy: true })
      const pending = batch.get(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n))
      batch.tryFlush()
      const value = await pending
      locations[at] = value ? Keys.locationOf(value) : absent
    }
  }

  scan = async (ledgerId: bigint, into: LedgerEntries): Promise<number> => {
    let count = 0
    await this.#visit(ledgerId, { reverse: false, limit: Infinity, values: true, capacity: 1000 }, (key, value) => {
      into.entryIds[count] = Keys.entryIdOf(key)
      into.locations[count] = value ? Keys.locationOf(value) : absent
      count += 1
    })
    return count
  }

  lastEntries = async (ledgerIds: BigInt64Array, entryIds: BigInt64Array): Promise<void> => {
    for (let at = 0; at < entryIds.length; at++) {
      entryIds[at] = absent
      await this.#visit(ledgerIds[at] ?? 0n, { reverse: true, limit: 1, values: false, capacity: 1 }, (key) => {
        entryIds[at] = Keys.entryIdOf(key)
      })
    }
  }

  deleteLedger = async (ledgerId: bigint): Promise<void> => {
    const batch = this.#binding.write({ capacity: 1, autoDestroy: true })
    batch.tryDeleteRange(Keys.key(ledgerId, 0n), Keys.key(ledgerId + 1n, 0n))
    await batch.flush()
    await this.#wal.sync()
  }

  // The public method takes a key that is an object for its options.
  compact = (): Promise<void> => this.#binding._state.compactRange(this.#binding, null, null, { exclusive: false })

  close = async (): Promise<void> => {
    await this.#binding.close()
    this.#wal.close()
  }

  #visit(ledgerId: bigint, options: IteratorOptions, visit: Visit): Promise<void> {
    const range = { gte: Keys.key(ledgerId, 0n), lte: Keys.key(ledgerId, Keys.maxEntryId) }
    const iterator = this.#binding.iterator(range, options)
    return new Promise((resolve, reject) => {
      iterator.on("data", ({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array | null }) =>
        visit(key, value)
      )
      iterator.once("error", reject)
      iterator.once("close", resolve)
    })
  }
}

type IteratorOptions = Parameters<Binding["iterator"]>[1]
type Visit = (key: Uint8Array, value: Uint8Array | null) => void
