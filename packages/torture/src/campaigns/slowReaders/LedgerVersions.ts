/**
 * The versions that a ledger of an index goes through: what it holds after each
 * of its changes, which one writer makes one after another.
 *
 * A reader must find one of them as a whole: none older than what was
 * acknowledged when the reader began, none newer than what was begun when it got
 * its first entries.
 */
import { EntryId, type EntryLocationIndex, type LedgerId, Location } from "@effect-bookie/entry-location-index"

/** Entries by their ids, in ascending order. */
export type Entries = ReadonlyArray<readonly [entryId: number, location: bigint]>

/** Past the last entry that a ledger may have. There are more of them than are read at once. */
export const mostEntries = 12_000

/** Versions that a reader may find, both included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The entries of a reader: those from an id on, up to another one. */
export interface Range {
  readonly from: number
  readonly to: number
}

interface Change {
  /** Entries from one id on get the locations from one on; or all entries go. */
  readonly type: "add" | "delete"
  readonly first: number
  readonly count: number
  readonly location: bigint
}

/** One ledger. */
export class LedgerVersions {
  readonly ledgerId: LedgerId.LedgerId
  /** What it held before the changes. */
  #base = new Map<number, bigint>()
  #changes: Array<Change> = []
  #acknowledged = 0
  #end = 0

  constructor(ledgerId: LedgerId.LedgerId) {
    this.ledgerId = ledgerId
  }

  /** How many changes were acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** How many changes were begun. */
  get begun(): number {
    return this.#changes.length
  }

  /** Behind the last entry, if that may have some behind it. */
  get end(): number {
    return this.#end % mostEntries
  }

  /** Begins to add so many entries at most, with ids in a row, and answers what is to be added. */
  beginAdd(first: number, most: number, location: bigint): ReadonlyArray<EntryLocationIndex.EntryLocation> {
    const count = Math.min(most, mostEntries - first)
    this.#changes.push({ type: "add", first, count, location })
    this.#end = Math.max(this.#end, first + count)
    return Array.from({ length: count }, (_, at) => ({
      ledgerId: this.ledgerId,
      entryId: EntryId.make(BigInt(first + at)),
      location: Location.make(location + BigInt(at))
    }))
  }

  /** Begins to delete all entries. */
  beginDelete(): void {
    this.#changes.push({ type: "delete", first: 0, count: 0, location: 0n })
    this.#end = 0
  }

  /** The change that was begun last has been acknowledged. */
  acknowledge(): void {
    this.#acknowledged = this.#changes.length
  }

  /** What is there is the only version from now on. */
  restart(entries: Entries): void {
    this.#base = new Map(entries)
    this.#changes = []
    this.#acknowledged = 0
    this.#end = (entries.at(-1)?.[0] ?? -1) + 1
  }

  /**
   * Says why none of the versions of a span holds what was read; `undefined` if one does. A reader that did not come to
   * the end has read the beginning of a version.
   */
  problemWith(read: Entries, isWhole: boolean, range: Range, span: Span): string | undefined {
    const held = new Map(this.#base)
    let problem: string | undefined
    for (let version = 0; version <= span.to; version++) {
      const change = this.#changes[version - 1]
      if (change !== undefined) apply(change, held)
      if (version < span.from) continue
      const entries = entriesIn(held, range)
      const difference = differenceOf(read, isWhole ? entries : entries.slice(0, read.length))
      if (difference === undefined) return undefined
      problem ??= `version ${version}: ${difference}`
    }
    return problem
  }

  /** Whether the ledger may have entries, and whether it may have none, in the versions of a span. */
  presence(span: Span): { readonly some: boolean; readonly none: boolean } {
    const held = new Map(this.#base)
    let some = false
    let none = false
    for (let version = 0; version <= span.to; version++) {
      const change = this.#changes[version - 1]
      if (change !== undefined) apply(change, held)
      if (version < span.from) continue
      if (held.size > 0) some = true
      else none = true
    }
    return { some, none }
  }
}

const apply = ({ count, first, location, type }: Change, held: Map<number, bigint>): void => {
  if (type === "delete") held.clear()
  for (let at = 0; at < count; at++) held.set(first + at, location + BigInt(at))
}

const entriesIn = (held: ReadonlyMap<number, bigint>, { from, to }: Range): Entries =>
  [...held].filter(([entryId]) => entryId >= from && entryId <= to).toSorted(([left], [right]) => left - right)

const differenceOf = (read: Entries, expected: Entries): string | undefined => {
  for (let at = 0; at < Math.max(read.length, expected.length); at++) {
    const [left, right] = [read[at], expected[at]]
    if (left?.[0] === right?.[0] && left?.[1] === right?.[1]) continue
    return `${describe(left)} was read as number ${at}, where ${describe(right)} was to come`
  }
  return undefined
}

const describe = (entry: Entries[number] | undefined): string =>
  entry === undefined ? "nothing" : `entry ${entry[0]} at ${entry[1]}`
