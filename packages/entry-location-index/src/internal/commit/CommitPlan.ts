/**
 * From mutations to journal records, and what the memtable is to hold once they have
 * been acknowledged.
 *
 * An entry behind the last one of its ledger is a new one, which is nearly
 * always so. For the others it has to be known which slots of their page are
 * set, so those pages are read first and the plan is made again.
 */
import type { WriteBatch } from "../WriteBatch.ts"
import * as Mutation from "../WriteBatch.ts"
import { pageOfHalves } from "../pages/pages.ts"
import * as Words from "../words.ts"
import { baseOf } from "../memtable/chunks.ts"
import { Encoder } from "../journal/JournalRecord.ts"
import type { Memtable } from "../memtable/Memtable.ts"
import { LedgerGroups } from "../LedgerGroups.ts"

/** A commit that can be written. */
export interface CommitPlan {
  readonly _tag: "CommitPlan"
  /** With the slots of their ledgers, -1 for the delete of a ledger that has no entries. */
  readonly groups: LedgerGroups
  /** The values of the journal records, in order. */
  readonly records: ReadonlyArray<Uint8Array>
  /** How many entries the index has afterwards. */
  readonly entries: number
  /** The slots of the ledgers that are deleted, in the order of the deletes. */
  readonly deleted: ReadonlyArray<number>
  /** How many chunks it adds to the memtable, about: as if each entry that is not behind the last one added one. */
  readonly chunks: number
}

/** The pages whose slots have to be known. */
export interface UnknownPages {
  readonly _tag: "UnknownPages"
  readonly pages: ReadonlyArray<UnknownPage>
}

/** A page of the ledger in a slot of the memtable. */
export interface UnknownPage {
  readonly slot: number
  readonly number: Words.MapKey
}

/** Which slots of the pages that matter are set. */
export class Presence {
  readonly #ledgers = new Map<number, Map<Words.MapKey, Uint8Array>>()

  /** Whether no page matters. */
  get isEmpty(): boolean {
    return this.#ledgers.size === 0
  }

  /** 1 for each slot of a page that is set, or `undefined` if the page does not matter. */
  get(ledger: number, number: Words.MapKey): Uint8Array | undefined {
    return this.#ledgers.get(ledger)?.get(number)
  }

  /** Says which slots of a page are set. */
  set(ledger: number, number: Words.MapKey, slots: Uint8Array): void {
    let pages = this.#ledgers.get(ledger)
    if (pages === undefined) {
      pages = new Map()
      this.#ledgers.set(ledger, pages)
    }
    pages.set(number, slots)
  }

  /** None of a ledger's slots is set any more. */
  clear(ledger: number): void {
    for (const slots of this.#ledgers.get(ledger)?.values() ?? []) slots.fill(0)
  }
}

/** After so many mutations a record ends: a larger commit has several, in the same batch. Each is read again in one go. */
const mutationsPerRecord = 16_384

/** How many mutations a step plans, or a group of more. */
const mutationsPerStep = 8192

/** Plans commits, one after another, with buffers that it reuses: the groups of a plan are there until the next one. */
export class Planner {
  readonly #encoder = new Encoder()
  readonly #standings: Standings
  readonly #groups = new LedgerGroups()

  /** `plans` is how many have been made before. */
  constructor(plans = 0) {
    this.#standings = new Standings(plans)
  }

  /**
   * Begins a plan of changes over `entries` entries. `slots` are those of their ledgers in the memtable, group by group; what
   * the ledgers are is known.
   */
  begin(changes: WriteBatch, memtable: Memtable, slots: Int32Array, entries: number, presence: Presence): Planning {
    this.#standings.begin(memtable)
    this.#groups.clear()
    return new Planning(changes, memtable, slots, this.#standings, this.#encoder, this.#groups, entries, presence)
  }
}

/** A plan that is being made. */
export class Planning {
  readonly #changes: WriteBatch
  readonly #memtable: Memtable
  readonly #slots: Int32Array
  readonly #standings: Standings
  readonly #encoder: Encoder
  readonly #presence: Presence
  readonly #groups: LedgerGroups
  readonly #records: Array<Uint8Array> = []
  readonly #unknown: Array<UnknownPage> = []
  readonly #deleted: Array<number> = []
  #entries: number
  #chunks = 0
  /** The first mutation that has not been planned, and how many groups have been. */
  #next = 0
  #planned = 0
  /** How many mutations the record that has been begun has; none has been while it is 0. */
  #mutations = 0

  constructor(
    changes: WriteBatch,
    memtable: Memtable,
    slots: Int32Array,
    standings: Standings,
    encoder: Encoder,
    groups: LedgerGroups,
    entries: number,
    presence: Presence
  ) {
    this.#changes = changes
    this.#memtable = memtable
    this.#slots = slots
    this.#standings = standings
    this.#encoder = encoder
    this.#groups = groups
    this.#entries = entries
    this.#presence = presence
  }

  /** Plans some of the mutations, and answers whether all have been. */
  step(): boolean {
    const changes = this.#changes
    for (const until = this.#next + mutationsPerStep; this.#next < changes.size && this.#next < until;) {
      const end = changes.endOfGroup(this.#next)
      this.#group(this.#slots[this.#planned++] ?? 0, this.#next, end)
      this.#next = end
    }
    return this.#next >= changes.size
  }

  /** The plan, once all mutations have been planned. */
  finish(): CommitPlan | UnknownPages {
    if (this.#unknown.length > 0) return { _tag: "UnknownPages", pages: this.#unknown }
    if (this.#mutations > 0) this.#endRecord()
    return {
      _tag: "CommitPlan",
      groups: this.#groups,
      records: this.#records,
      entries: this.#entries,
      deleted: this.#deleted,
      chunks: this.#chunks
    }
  }

  #group(slot: number, start: number, end: number): void {
    const standings = this.#standings
    standings.know(slot)
    if (this.#changes.isDelete(start)) {
      if (standings.lastHigh(slot) < 0) {
        this.#groups.add(-1, end, 0, -1, 0)
        return
      }
      this.#entries -= standings.entries(slot)
      standings.set(slot, 0, -1, 0)
      this.#presence.clear(slot)
      this.#deleted.push(slot)
    } else {
      this.#add(slot, start, end)
    }
    const entries = standings.entries(slot)
    const lastHigh = standings.lastHigh(slot)
    const lastLow = standings.lastLow(slot)
    this.#groups.add(slot, end, entries, lastHigh, lastLow)
    if (this.#mutations === 0) this.#encoder.begin()
    this.#encoder.group(this.#changes, start, end, entries, lastHigh, lastLow)
    this.#mutations += end - start
    if (this.#mutations >= mutationsPerRecord) this.#endRecord()
  }

  #endRecord(): void {
    this.#records.push(this.#encoder.end(this.#entries))
    this.#mutations = 0
  }

  #add(slot: number, start: number, end: number): void {
    const standings = this.#standings
    const { words } = this.#changes
    let lastHigh = standings.lastHigh(slot)
    let lastLow = standings.lastLow(slot)
    let added = 0
    let base = this.#memtable.hasChunks(slot) && lastHigh >= 0 ? baseOf(lastLow) : -1
    let baseHigh = lastHigh
    for (let at = start * Mutation.stride; at < end * Mutation.stride; at += Mutation.stride) {
      const high = words[at + Mutation.entryHighAt] ?? 0
      const low = words[at + Mutation.entryLowAt] ?? 0
      if (baseOf(low) !== base || high !== baseHigh) {
        base = baseOf(low)
        baseHigh = high
        this.#chunks += 1
      }
      const isBehind = Words.isAbove(high, low, lastHigh, lastLow)
      if (isBehind) {
        lastHigh = high
        lastLow = low
      }
      if ((isBehind && this.#presence.isEmpty) || this.#isNew(slot, high, low, isBehind)) added += 1
    }
    standings.set(slot, standings.entries(slot) + added, lastHigh, lastLow)
    this.#entries += added
  }

  #isNew(slot: number, high: number, low: number, isBehind: boolean): boolean {
    const number = pageOfHalves(high, low)
    const slots = this.#presence.get(slot, number)
    if (slots !== undefined) {
      const wasSet = slots[low & 0xff] === 1
      slots[low & 0xff] = 1
      return !wasSet
    }
    if (isBehind) return true
    // Said to be known from now on, so that each page is asked for once.
    this.#presence.set(slot, number, new Uint8Array(256))
    this.#unknown.push({ slot, number })
    return true
  }
}

/** What ledgers have become within a plan, by their slots in the memtable. */
class Standings {
  #memtable: Memtable | undefined
  /** Counts the plans, in a number and an array of such: 32 bits last a busy index some days. */
  #plan: number
  /** Which plan a ledger was last in. */
  #plans = new Float64Array(0)
  #lasts = new Int32Array(0)
  #entries = new Float64Array(0)

  constructor(plans: number) {
    this.#plan = plans
  }

  begin(memtable: Memtable): void {
    this.#memtable = memtable
    this.#plan += 1
    if (memtable.ledgers <= this.#plans.length) return
    const room = 2 * memtable.ledgers
    const lasts = new Int32Array(2 * room)
    const entries = new Float64Array(room)
    this.#plans = new Float64Array(room)
    this.#lasts = lasts
    this.#entries = entries
  }

  /** A ledger begins as what it is in the memtable. */
  know(slot: number): void {
    const memtable = this.#memtable
    if (this.#plans[slot] === this.#plan || memtable === undefined) return
    this.#plans[slot] = this.#plan
    this.set(slot, memtable.entries(slot), memtable.lastHigh(slot), memtable.lastLow(slot))
  }

  entries(slot: number): number {
    return this.#entries[slot] ?? 0
  }

  /** Negative if it has no entries. */
  lastHigh(slot: number): number {
    return this.#lasts[2 * slot] ?? 0
  }

  lastLow(slot: number): number {
    return this.#lasts[2 * slot + 1] ?? 0
  }

  set(slot: number, entries: number, lastHigh: number, lastLow: number): void {
    this.#entries[slot] = entries
    this.#lasts[2 * slot] = lastHigh
    this.#lasts[2 * slot + 1] = lastLow
  }
}
