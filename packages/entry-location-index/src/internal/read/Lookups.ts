/**
 * Point lookups: answered from memory where they can be, without a fiber
 * switch and with few allocations, else with one read for all that is missing.
 *
 * A lookup takes less time than reading a clock twice does, so of those that
 * memory answers one in 64 is timed and stands for the others; reads are timed
 * each.
 */
import type * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Location from "@effect-bookie/entry-log/Location"
import { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Arguments from "../arguments.ts"
import type { Gate } from "../Gate.ts"
import { unread } from "../pages/PageCache.ts"
import type { PageSlots } from "../pages/PageStore.ts"
import { pageOf, slotOf } from "../pages/pages.ts"
import type { LedgerRecord } from "../pages/records.ts"
import type { Timers } from "../Statistics.ts"
import type { Store } from "../Store.ts"
import { inTurns } from "../turns.ts"
import * as Words from "../words.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** The id of an entry. */
interface Id {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
}

/** Looks up in a store, for as long as the gate is open. */
export class Lookups {
  readonly #gate: Gate
  readonly #store: Store
  #hitSeconds = 0
  #lastEntryHits = 0
  #lastEntryHitSeconds = 0

  constructor(gate: Gate, store: Store) {
    this.#gate = gate
    this.#store = store
  }

  /** The location of an entry. */
  location(ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId): Answer<Location.Location | undefined> {
    if (this.#gate.closed) return this.#gate.refuse("getLocation")
    const problem = Arguments.checkEntryId(ledgerId, entryId)
    if (problem !== undefined) return this.#gate.refuseArgument("getLocation", problem)
    const { counts } = this.#store
    const isTimed = counts.pageCacheHits % sampled === 0
    const start = isTimed ? performance.now() : 0
    const location = this.#store.find(ledgerId, entryId)
    if (location === unread) return this.#readLocation(ledgerId, entryId)
    if (isTimed) this.#hitSeconds = secondsSince(start)
    counts.pageCacheHits += 1
    record(counts.lookups, location !== undefined, this.#hitSeconds)
    return Effect.succeed(location)
  }

  /** The locations of entries, in their order. */
  locations(ids: ReadonlyArray<Id>): Answer<ReadonlyArray<Location.Location | undefined>> {
    if (this.#gate.closed) return this.#gate.refuse("getLocations")
    const search = Arguments.look(() => Search.of(ids, this.#store))
    if (typeof search === "string") return this.#gate.refuseArgument("getLocations", search)
    if (search.step()) return this.#readMissing(search)
    return Effect.flatMap(
      inTurns(() => search.step()),
      () => this.#readMissing(search)
    )
  }

  /** The last entry of a ledger. */
  lastEntry(ledgerId: LedgerId.LedgerId): Answer<EntryId.EntryId | undefined> {
    if (this.#gate.closed) return this.#gate.refuse("getLastEntryInLedger")
    const problem = Arguments.checkLedgerId(ledgerId)
    if (problem !== undefined) return this.#gate.refuseArgument("getLastEntryInLedger", problem)
    const { lastEntries } = this.#store.counts
    const isTimed = this.#lastEntryHits % sampled === 0
    const start = isTimed ? performance.now() : 0
    const found = this.#store.findRecord(ledgerId)
    if (found === unread) return this.#readLastEntry(ledgerId)
    if (isTimed) this.#lastEntryHitSeconds = secondsSince(start)
    this.#lastEntryHits += 1
    record(lastEntries, found !== undefined, this.#lastEntryHitSeconds)
    return Effect.succeed(found?.lastEntry)
  }

  #readLocation(ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId): Answer<Location.Location | undefined> {
    const { counts } = this.#store
    counts.pageCacheMisses += 1
    const page = { ledgerId, number: pageOf(entryId), slots: [slotOf(entryId)] }
    return timed(
      counts.lookups,
      Effect.map(
        inOperation("getLocation", this.#store.pages.readSlots("getLocation", [page])),
        ([found]) => found?.[0]
      )
    )
  }

  /** Reads what a search has not found in memory, and answers all of it. */
  #readMissing(search: Search): Answer<ReadonlyArray<Location.Location | undefined>> {
    const { locations, missed, problem, start } = search
    const { counts } = this.#store
    if (problem !== undefined) return this.#gate.refuseArgument("getLocations", problem)
    if (this.#gate.closed) return this.#gate.refuse("getLocations")
    counts.pageCacheHits += locations.length - missed.entries
    counts.pageCacheMisses += missed.entries
    const finish = () => {
      const missing = locations.reduce((count, location) => (location === undefined ? count + 1 : count), 0)
      const seconds = secondsSince(start) / locations.length
      if (missing < locations.length) counts.lookups.found.record(seconds, locations.length - missing)
      if (missing > 0) counts.lookups.missing.record(seconds, missing)
      return locations
    }
    if (missed.entries === 0) return Effect.sync(finish)
    return readMissed(this.#store, "getLocations", search).pipe(
      Effect.map(finish),
      Effect.tapError(() =>
        Effect.sync(() => counts.lookups.failed.record(secondsSince(start) / locations.length, locations.length))
      )
    )
  }

  #readLastEntry(ledgerId: LedgerId.LedgerId): Answer<EntryId.EntryId | undefined> {
    const read = Effect.map(
      inOperation("getLastEntryInLedger", this.#store.pages.readRecord("getLastEntryInLedger", ledgerId)),
      (found: LedgerRecord | undefined) => found?.lastEntry
    )
    return timed(this.#store.counts.lastEntries, read)
  }
}

/** The locations of entries whose ids have been checked. */
export const locate = (
  store: Store,
  operation: string,
  ids: ReadonlyArray<Id>
): Answer<ReadonlyArray<Location.Location | undefined>> =>
  Effect.suspend(() => {
    const search = new Search(ids, store)
    return inTurns(() => search.step()).pipe(
      Effect.andThen(Effect.suspend(() => readMissed(store, operation, search))),
      Effect.map(() => search.locations)
    )
  })

/** Reads what a search has not found in memory. */
const readMissed = (store: Store, operation: string, { locations, missed }: Search): Answer<void> =>
  Effect.forEach(missed.parts, (part) => readInto(store, operation, locations, part), {
    concurrency: maxReads,
    discard: true
  })

const readInto = (
  store: Store,
  operation: string,
  locations: Array<Location.Location | undefined>,
  part: ReadonlyArray<MissedPage>
): Answer<void> =>
  Effect.map(inOperation(operation, store.pages.readSlots(operation, part)), (found) => {
    for (const [at, { places }] of part.entries()) {
      for (const [nth, place] of places.entries()) locations[place] = found[at]?.[nth]
    }
  })

/** A read that fails as the operation that was called, not as the one of the database. */
const inOperation = <A>(operation: string, read: Answer<A>): Answer<A> =>
  Effect.mapError(read, (error) => RocksDBError.inOperation(error, operation))

/** Of so many lookups that memory answers one is timed. */
const sampled = 64

/** How many pages one read brings at most, and how many reads go on at once: what one has brought is decoded meanwhile. */
const maxPagesPerRead = 128
const maxReads = 4

/** How many ids a step looks for in memory. */
const idsPerStep = 8192

/** A search for many entries in memory. */
class Search {
  readonly start = performance.now()
  /** Where they are, as far as memory knows. */
  readonly locations: Array<Location.Location | undefined> = []
  readonly missed = new MissedPages()
  /** What is wrong with an id. */
  problem: string | undefined
  readonly #ids: ReadonlyArray<Id>
  readonly #store: Store

  constructor(ids: ReadonlyArray<Id>, store: Store) {
    this.#ids = ids
    this.#store = store
  }

  /** Begins one, or says what is wrong with the list. One that takes several steps has a list of its own. */
  static of(ids: ReadonlyArray<Id>, store: Store): Search | string {
    if (!Array.isArray(ids)) return `the ids must be an array, not ${Arguments.describe(ids)}`
    return new Search(ids.length > idsPerStep ? ids.slice() : ids, store)
  }

  /** Looks for some of the entries, and answers whether that was all, or one has no id that can be. */
  step(): boolean {
    this.problem = Arguments.look(() => this.#lookOn())
    return this.problem !== undefined || this.locations.length >= this.#ids.length
  }

  #lookOn(): string | undefined {
    const { locations, missed } = this
    const end = Math.min(locations.length + idsPerStep, this.#ids.length)
    for (let nth = locations.length; nth < end; nth++) {
      const id = this.#ids[nth]
      if (!Arguments.isObject(id)) return `item ${nth} must be an id of an entry, not ${Arguments.describe(id)}`
      const { entryId, ledgerId } = id
      const problem = Arguments.checkEntryId(ledgerId, entryId)
      if (problem !== undefined) return `id ${nth}: ${problem}`
      const location = this.#store.find(ledgerId, entryId)
      if (location === unread) missed.add(ledgerId, entryId, nth)
      locations.push(location === unread ? undefined : location)
    }
    return undefined
  }
}

interface MissedPage extends PageSlots {
  readonly slots: Array<number>
  /** Where in the answer the locations of these slots go. */
  readonly places: Array<number>
}

/** The pages that are not in memory, each once. */
class MissedPages {
  readonly #pages: Array<MissedPage> = []
  readonly #known = new Map<Words.MapKey, Map<Words.MapKey, MissedPage>>()
  /** The one that was added to last: the next entry is often in it too. */
  #last: MissedPage | undefined
  /** How many entries are in them. */
  entries = 0

  add(ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId, place: number): void {
    this.entries += 1
    const number = pageOf(entryId)
    if (this.#last?.number !== number || this.#last.ledgerId !== ledgerId) this.#last = this.#page(ledgerId, number)
    this.#last.places.push(place)
    this.#last.slots.push(slotOf(entryId))
  }

  #page(ledgerId: LedgerId.LedgerId, number: Words.MapKey): MissedPage {
    const key = Words.mapKey(ledgerId)
    let ofLedger = this.#known.get(key)
    if (ofLedger === undefined) {
      ofLedger = new Map()
      this.#known.set(key, ofLedger)
    }
    let page = ofLedger.get(number)
    if (page === undefined) {
      page = { ledgerId, number, places: [], slots: [] }
      ofLedger.set(number, page)
      this.#pages.push(page)
    }
    return page
  }

  /** The pages, in as few parts as may be read at once. */
  get parts(): ReadonlyArray<ReadonlyArray<MissedPage>> {
    const parts: Array<ReadonlyArray<MissedPage>> = []
    for (let at = 0; at < this.#pages.length; at += maxPagesPerRead) {
      parts.push(this.#pages.slice(at, at + maxPagesPerRead))
    }
    return parts
  }
}

const record = (timers: Timers, isFound: boolean, seconds: number): void =>
  (isFound ? timers.found : timers.missing).record(seconds)

/** Times a lookup that reads, from now on. */
const timed = <A>(timers: Timers, read: Answer<A | undefined>): Answer<A | undefined> => {
  const start = performance.now()
  return read.pipe(
    Effect.tap((answer) => Effect.sync(() => record(timers, answer !== undefined, secondsSince(start)))),
    Effect.tapError(() => Effect.sync(() => timers.failed.record(secondsSince(start))))
  )
}

const secondsSince = (start: number): number => (performance.now() - start) / 1000
