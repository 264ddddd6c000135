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
export type Entries = ReadonlyArray<readonly [entryId: number, location: number]>

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
  readonly location: number
}

/** One ledger. */
export class LedgerVersions {
  readonly ledgerId: LedgerId.LedgerId
  /** What it held before the changes: a location for each entry, or {@link none}. */
  readonly #base = new Float64Array(mostEntries).fill(none)
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
  beginAdd(first: number, most: number, location: number): ReadonlyArray<EntryLocationIndex.EntryLocation> {
    const count = Math.min(most, mostEntries - first)
    this.#changes.push({ type: "add", first, count, location })
    this.#end = Math.max(this.#end, first + count)
    return Array.from({ length: count }, (_, at) => ({
      ledgerId: this.ledgerId,
      entryId: EntryId.make(BigInt(first + at)),
      location: Location.make(BigInt(location + at))
    }))
  }

  /** Begins to delete all entries. */
  beginDelete(): void {
    this.#changes.push({ type: "delete", first: 0, count: 0, location: 0 })
    this.#end = 0
  }

  /** The change that was begun last has been acknowledged. */
  acknowledge(): void {
    this.#acknowledged = this.#changes.length
  }

  /** What is there is the only version from now on. */
  restart(entries: Entries): void {
    this.#base.fill(none)
    for (const [entryId, location] of entries) this.#base[entryId] = location
    this.#changes = []
    this.#acknowledged = 0
    this.#end = (entries.at(-1)?.[0] ?? -1) + 1
  }

  /**
   * Says why none of the versions of a span holds what was read; `undefined` if one does. A reader that did not come to
   * the end has read the beginning of a version.
   */
  problemWith(read: Entries, isWhole: boolean, range: Range, span: Span): string | undefined {
    let problem: string | undefined
    for (const [version, held] of this.#versions(span)) {
      const difference = differenceOf(read, isWhole, held, range)
      if (difference === undefined) return undefined
      problem ??= `version ${version}: ${difference}`
    }
    return problem
  }

  /** Whether the ledger may have entries, and whether it may have none, in the versions of a span. */
  presence(span: Span): { readonly some: boolean; readonly none: boolean } {
    const answer = { some: false, none: false }
    for (const [, held] of this.#versions(span)) {
      if (held.some((location) => location !== none)) answer.some = true
      else answer.none = true
    }
    return answer
  }

  /** What it holds in each version of a span; to be read before the next one. */
  *#versions({ from, to }: Span): Generator<readonly [version: number, held: Float64Array]> {
    const held = this.#base.slice()
    for (let version = 0; version <= to; version++) {
      const change = this.#changes[version - 1]
      if (change !== undefined) apply(change, held)
      if (version >= from) yield [version, held]
    }
  }
}

/** The location of an entry that is not there. */
const none = -1

const apply = ({ count, first, location, type }: Change, held: Float64Array): void => {
  if (type === "delete") held.fill(none)
  for (let at = 0; at < count; at++) held[first + at] = location + at
}

/** The first difference between what was read and what a ledger holds. */
const differenceOf = (read: Entries, isWhole: boolean, held: Float64Array, { from, to }: Range): string | undefined => {
  let at = 0
  for (let entryId = from; entryId <= Math.min(to, mostEntries - 1); entryId++) {
    const location = held[entryId] ?? none
    if (location === none) continue
    const found = read[at]
    if (found === undefined && !isWhole) return undefined
    if (found?.[0] !== entryId || found[1] !== location) {
      return `${describe(found)} was read as number ${at}, where entry ${entryId} at ${location} was to come`
    }
    at += 1
  }
  return at < read.length ? `${describe(read[at])} was read as number ${at}, and was not there` : undefined
}

const describe = (entry: Entries[number] | undefined): string =>
  entry === undefined ? "nothing" : `entry ${entry[0]} at ${entry[1]}`
