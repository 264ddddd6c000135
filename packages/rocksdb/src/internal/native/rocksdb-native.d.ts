/** The part of `rocksdb-native` 3 that is used here; the package ships no types. */
declare module "rocksdb-native" {
  import type { Readable } from "node:stream"

  namespace RocksDB {
    class BloomFilterPolicy {
      constructor(bitsPerKey: number)
    }

    interface Options {
      readonly readOnly: boolean
      readonly createIfMissing: boolean
      readonly writeBufferSize: number
      readonly blockCache: boolean
      readonly tableCacheIndexAndFilterBlocks: boolean
      readonly filterPolicy: BloomFilterPolicy | null
      readonly tableFormatVersion: number
      readonly maxOpenFiles?: number
    }

    interface Range {
      readonly gt?: Uint8Array
      readonly gte?: Uint8Array
      readonly lt?: Uint8Array
      readonly lte?: Uint8Array
    }

    interface Iterator extends Pick<Readable, "on" | "once" | "destroy" | "destroyed"> {
      read(): { readonly key: Uint8Array; readonly value: Uint8Array | null } | null
    }

    interface ReadBatch {
      get(key: Uint8Array): Promise<Uint8Array | null>
      tryFlush(): void
    }

    interface State {
      compactRange(
        database: RocksDB,
        start: Uint8Array | null,
        end: Uint8Array | null,
        options: { readonly exclusive: boolean }
      ): Promise<void>
    }

    interface WriteBatch {
      tryPut(key: Uint8Array, value: Uint8Array): void
      tryDelete(key: Uint8Array): void
      tryDeleteRange(start: Uint8Array, end: Uint8Array): void
      flush(): Promise<void>
    }
  }

  class RocksDB {
    /** Not public, so the version of the dependency is exact. */
    readonly _state: RocksDB.State
    static readonly BloomFilterPolicy: typeof RocksDB.BloomFilterPolicy
    constructor(path: string, options: RocksDB.Options)
    ready(): Promise<void>
    close(): Promise<void>
    read(options: { readonly capacity: number; readonly autoDestroy: boolean }): RocksDB.ReadBatch
    write(options: { readonly capacity: number; readonly autoDestroy: boolean }): RocksDB.WriteBatch
    iterator(
      range: RocksDB.Range,
      options: {
        readonly reverse: boolean
        readonly values: boolean
        readonly limit: number
        readonly capacity: number
      }
    ): RocksDB.Iterator
    getProperty(name: string): Promise<string | null | undefined>
  }

  export default RocksDB
}
