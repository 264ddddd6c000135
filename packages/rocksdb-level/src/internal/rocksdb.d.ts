/** The part of `rocksdb` 5 (Level) that is used here; the package ships no types. */
declare module "rocksdb" {
  type Callback<A = void> = (error: Error | null | undefined, value: A) => void

  namespace Level {
    interface OpenOptions {
      readonly createIfMissing: boolean
      readonly readOnly: boolean
      readonly writeBufferSize: number
      readonly cacheSize?: number
      readonly maxOpenFiles?: number
    }

    interface Range {
      readonly gt?: Buffer
      readonly gte?: Buffer
      readonly lt?: Buffer
      readonly lte?: Buffer
    }

    interface IteratorOptions extends Range {
      readonly reverse?: boolean
      readonly values?: boolean
      readonly limit?: number
    }

    interface Iterator {
      next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): void
      end(callback: Callback): void
    }

    type BatchOperation =
      | { readonly type: "put"; readonly key: Buffer; readonly value: Buffer }
      | { readonly type: "del"; readonly key: Buffer }
  }

  class Level {
    constructor(path: string)
    open(options: Level.OpenOptions, callback: Callback): void
    close(callback: Callback): void
    getMany(keys: ReadonlyArray<Buffer>, callback: Callback<ReadonlyArray<Buffer | undefined>>): void
    batch(
      operations: ReadonlyArray<Level.BatchOperation>,
      options: { readonly sync: boolean },
      callback: Callback
    ): void
    iterator(options: Level.IteratorOptions): Level.Iterator
    compactRange(start: Buffer, end: Buffer, callback: Callback): void
    getProperty(name: string): string
  }

  export default Level
}
