/**
 * Writes that have not been made yet, over a source of values that are there.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"
import type { KeyRange } from "./keys.ts"

/** What a transaction sees and changes: at one moment, its own writes included. */
export interface View {
  readonly get: (key: Uint8Array) => Uint8Array | undefined
  /** Asks for several at once, which costs one read where they are not in memory. */
  readonly getMany: (keys: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array | undefined>
  readonly put: (key: Uint8Array, value: Uint8Array) => void
  readonly remove: (key: Uint8Array) => void
  readonly removeRange: (range: KeyRange) => void
  /** Is called once the writes are on disk, and not at all if they fail. */
  readonly afterWritten: (listener: () => void) => void
  /** Whether the writes are collected to be done again later, and may be given up. */
  readonly isProvisional: boolean
  /** The keys of a range that hold writes which the database may not have yet. */
  readonly unwritten: (range: KeyRange) => ReadonlyArray<Uint8Array>
}

/** Where a view finds what it has not written itself. */
export interface Source {
  readonly find: (name: string) => Uint8Array | undefined | typeof notLoaded
  /** Adds the names within a range that it holds writes of. */
  readonly collect: (range: NameRange, names: Set<string>) => void
}

/** The answer about a value that must be read from the database first. */
export const notLoaded: unique symbol = Symbol("notLoaded")

/** Ends a run of a transaction that needs values which are not loaded. */
export class Missing {
  readonly keys: ReadonlyArray<Uint8Array>
  constructor(keys: ReadonlyArray<Uint8Array>) {
    this.keys = keys
  }
}

/**
 * Ends a transaction with what RocksDB would refuse: it refuses a batch whole, so
 * nothing of that kind may get into one that others share.
 */
export class Refused {
  readonly problem: string
  constructor(problem: string) {
    this.problem = problem
  }
}

/** A range of names. */
export interface NameRange {
  readonly gte: string
  readonly lt: string
}

/** A key as a string whose order is the order of the bytes. */
export const nameOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")

/** The key of a name. */
export const keyOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(name, "latin1"))

/** A range of keys as one of names. */
export const nameRange = ({ gte, lt }: KeyRange): NameRange => ({ gte: nameOf(gte), lt: nameOf(lt) })

/** Whether a name is in a range. */
export const isWithin = (name: string, { gte, lt }: NameRange): boolean => name >= gte && name < lt

/** The writes of one transaction. */
export class Draft implements View, Source {
  #operations: Array<RocksDB.Operation> = []
  #values = new Map<string, Uint8Array | undefined>()
  #ranges: Array<NameRange> = []
  readonly #source: Source
  readonly isProvisional: boolean
  readonly listeners: Array<() => void> = []

  constructor(source: Source, isProvisional = false) {
    this.#source = source
    this.isProvisional = isProvisional
  }

  /** In their order. */
  get operations(): ReadonlyArray<RocksDB.Operation> {
    return this.#operations
  }

  get = (key: Uint8Array): Uint8Array | undefined => {
    const value = this.find(nameOf(check(key)))
    if (value === notLoaded) throw new Missing([key])
    return value
  }

  getMany = (keys: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array | undefined> => {
    const missing: Array<Uint8Array> = []
    const values = keys.map((key) => {
      const value = this.find(nameOf(check(key)))
      if (value !== notLoaded) return value
      missing.push(key)
      return undefined
    })
    if (missing.length > 0) throw new Missing(missing)
    return values
  }

  put = (key: Uint8Array, value: Uint8Array): void => {
    if (value.length > maxValueLength) {
      throw new Refused(`the value has ${value.length} bytes; at most ${maxValueLength} are allowed`)
    }
    this.#apply({ type: "put", key: check(key), value })
  }

  remove = (key: Uint8Array): void => this.#apply({ type: "remove", key: check(key) })

  removeRange = ({ gte, lt }: KeyRange): void => this.#apply({ type: "removeRange", gte, lt })

  afterWritten = (listener: () => void): void => void this.listeners.push(listener)

  unwritten = (range: KeyRange): ReadonlyArray<Uint8Array> => {
    const names = new Set<string>()
    this.collect(nameRange(range), names)
    return [...names].toSorted().map(keyOf)
  }

  find = (name: string): Uint8Array | undefined | typeof notLoaded => {
    const value = this.#values.get(name)
    if (value !== undefined || this.#values.has(name)) return value
    if (this.#ranges.some((range) => isWithin(name, range))) return undefined
    return this.#source.find(name)
  }

  collect = (range: NameRange, names: Set<string>): void => {
    this.#source.collect(range, names)
    for (const name of this.#values.keys()) if (isWithin(name, range)) names.add(name)
  }

  /** Adds the writes of another draft, which came after these. */
  append(draft: Draft): void {
    for (const operation of draft.operations) this.#apply(operation)
  }

  /** Takes everything back that was written since this is called, when its result is. */
  savepoint(): () => void {
    const operations = this.#operations.length
    const values = new Map(this.#values)
    const ranges = [...this.#ranges]
    return () => {
      this.#operations.length = operations
      this.#values = values
      this.#ranges = ranges
    }
  }

  #apply(operation: RocksDB.Operation): void {
    this.#operations.push(operation)
    switch (operation.type) {
      case "put":
        this.#values.set(nameOf(operation.key), operation.value)
        break
      case "remove":
        this.#values.set(nameOf(operation.key), undefined)
        break
      case "removeRange": {
        const range = nameRange(operation)
        this.#ranges.push(range)
        for (const name of this.#values.keys()) if (isWithin(name, range)) this.#values.set(name, undefined)
      }
    }
  }
}

/** The longest key and value that RocksDB takes (facebook/rocksdb wiki, "Basic Operations"). */
const maxKeyLength = 8 * 1024 * 1024
const maxValueLength = 3 * 1024 * 1024 * 1024

const check = (key: Uint8Array): Uint8Array => {
  if (key.length <= maxKeyLength) return key
  throw new Refused(`the key has ${key.length} bytes; at most ${maxKeyLength} are allowed`)
}
