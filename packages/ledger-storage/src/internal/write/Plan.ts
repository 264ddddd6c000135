/**
 * What a group comes to: decides each request in the order of the calls, gives
 * ids, and fills in the frames.
 *
 * Everything in it is one synchronous step, on the next state of each ledger. A
 * request that is refused leaves no frames: those behind it move up. How a
 * request ends is told when the group has ended, since it may depend on those
 * before it.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import type { LedgerInfo } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import type { LedgerIds } from "../LedgerIds.ts"
import { OpenLedger } from "../ledgers/OpenLedger.ts"
import type { Failure } from "./Call.ts"
import type { Group, Placed } from "./Group.ts"
import type { Appended, Change } from "./Log.ts"
import type { Append, Create, Delete, Fence, Request } from "./Request.ts"

type Error = LedgerStorageError.LedgerStorageError

/** What a plan is made from. */
export interface World {
  /** The name of the storage. */
  readonly storage: string
  /** In milliseconds since 1970. */
  readonly now: number
  readonly ledgerIds: LedgerIds
  /** The ledgers that the group is about, as far as they exist. */
  readonly ledgers: Map<LedgerId.LedgerId, OpenLedger>
  /** The ledgers that could not be looked up, and why. */
  readonly failures: ReadonlyMap<LedgerId.LedgerId, Error>
  /** Why no more can be appended and created at present, if so. */
  readonly refusal: Error | undefined
}

/** A group that is ready to be written. */
export class Plan {
  /** What it changes, in order; nothing is to be written if that is nothing. */
  readonly changes: Array<Change> = []
  /** Whether it must be on disk before it is acknowledged. */
  needsSync = false
  /** The ledgers that it changes. */
  readonly touched = new Set<OpenLedger>()
  /** The ledgers that it creates. */
  readonly created: Array<OpenLedger> = []
  readonly #group: Group
  readonly #world: World
  readonly #outcomes: Array<Outcome> = []
  readonly #givenIds = new Set<LedgerId.LedgerId>()
  #end = 0

  constructor(group: Group, world: World) {
    this.#group = group
    this.#world = world
    for (const placed of group.placed) {
      // An earlier part of the call has failed, and what comes after it must not be there without it.
      if (!placed.request.call.failed) this.#decide(placed)
    }
  }

  /** The frames to be written. */
  get frames(): Uint8Array {
    return this.#group.bytes.subarray(0, this.#end)
  }

  /** The group has failed and left nothing behind: so do the ledgers, and the ids are free again. */
  takeBack(): void {
    for (const ledger of this.touched) ledger.takeBack()
    for (const ledgerId of this.#givenIds) this.#world.ledgerIds.takeBack(ledgerId)
  }

  /** Tells each request how it has ended, now that the group has: with a failure, or well. */
  tell(failure: Failure | undefined): void {
    for (const { depends, refusal, request, succeed } of this.#outcomes) {
      if (depends && failure !== undefined) request.call.fail(failure)
      else if (refusal !== undefined) request.call.fail(Cause.fail(refusal))
      else succeed()
    }
  }

  #decide(placed: Placed): void {
    const { request } = placed
    switch (request._tag) {
      case "Append":
        return this.#append(placed, request)
      case "Create":
        return this.#create(request)
      case "Fence":
        return this.#fence(request)
      case "Delete":
        return this.#delete(request)
    }
  }

  #append(placed: Placed, request: Append): void {
    const ledger = this.#find(request, request.ledgerId)
    if (ledger === undefined) return
    const { ledgerId } = request
    const { lastEntryId, length } = ledger.next
    if (ledger.next.fenced) {
      const refusal = LedgerStorageError.fenced(ledgerId, this.#where(request))
      return this.#refuse(request, refusal, !ledger.acknowledged.fenced)
    }
    if (this.#world.refusal !== undefined) return this.#refuse(request, this.#world.refusal, false)
    const last = lastEntryId + BigInt(request.frames)
    if (!EntryId.is(last)) {
      const problem = `ledger ${ledgerId} has no entry id left. Append to another ledger.`
      return this.#refuse(request, LedgerStorageError.invalidArgument(problem, this.#where(request)), true)
    }
    const from = EntryId.make(lastEntryId + 1n)
    const start = this.#moveUp(placed)
    this.#fillIn(start, ledgerId, from, length)
    this.#change(ledger, { lastEntryId: last, length: length + BigInt(request.length) })
    this.#addAppended({ _tag: "Appended", ledgerId, from, to: last, start, end: this.#end })
    if (request.durability === "sync") this.needsSync = true
    this.#accept(request, () => request.call.succeed({ from, to: last }))
  }

  #create(request: Create): void {
    const { ledgerIds, now, refusal } = this.#world
    const ledgerId = request.ledgerId ?? ledgerIds.next()
    if (ledgerId === undefined) {
      const problem = "every ledger id has been given. Go on in another storage."
      return this.#refuse(request, LedgerStorageError.invalidArgument(problem, this.#where(request)), true)
    }
    if (ledgerIds.has(ledgerId)) {
      const exists = LedgerStorageError.ledgerExists(ledgerId, this.#where(request))
      return this.#refuse(request, exists, this.#givenIds.has(ledgerId))
    }
    if (refusal !== undefined) return this.#refuse(request, refusal, false)
    const createdAt = DateTime.makeUnsafe(now)
    const info: LedgerInfo = {
      ledgerId,
      createdAt,
      metadata: request.metadata,
      fenced: false,
      lastEntryId: undefined,
      entries: 0,
      length: 0
    }
    ledgerIds.add(ledgerId)
    this.#givenIds.add(ledgerId)
    const ledger = new OpenLedger(info)
    this.#world.ledgers.set(ledgerId, ledger)
    this.#record({ _tag: "LedgerCreated", ledgerId, createdAt: now, metadata: request.metadata })
    this.created.push(ledger)
    this.changes.push({ _tag: "Created", info })
    this.#accept(request, () => request.call.succeed({ ...info, metadata: info.metadata.slice() }))
  }

  #fence(request: Fence): void {
    const ledger = this.#find(request, request.ledgerId)
    if (ledger === undefined) return
    const { ledgerId } = ledger
    if (!ledger.next.fenced) {
      this.#record({ _tag: "LedgerFenced", ledgerId })
      this.#change(ledger, { fenced: true })
      this.changes.push({ _tag: "Fenced", ledgerId })
    }
    this.#outcomes.push({
      request,
      depends: !ledger.acknowledged.fenced,
      refusal: undefined,
      succeed: () => request.call.succeed()
    })
  }

  #delete(request: Delete): void {
    const deleted: Array<LedgerId.LedgerId> = []
    let depends = false
    for (const ledgerId of request.ledgerIds) {
      const failure = this.#world.failures.get(ledgerId)
      if (failure !== undefined && failure.reason._tag !== "Corruption") return this.#refuse(request, failure, false)
    }
    for (const ledgerId of request.ledgerIds) {
      const ledger = this.#findAnyhow(ledgerId)
      if (ledger === undefined) continue
      depends = true
      if (ledger.next.deleted) continue
      this.#change(ledger, { deleted: true })
      deleted.push(ledgerId)
    }
    if (deleted.length > 0) {
      this.#record({ _tag: "LedgersDeleted", ledgerIds: deleted })
      this.changes.push({ _tag: "Deleted", ledgerIds: deleted })
    }
    this.#outcomes.push({ request, depends, refusal: undefined, succeed: () => request.call.succeed() })
  }

  /** A ledger that is to be deleted, for which it may be damaged. */
  #findAnyhow(ledgerId: LedgerId.LedgerId): OpenLedger | undefined {
    const ledger = this.#world.ledgers.get(ledgerId)
    if (ledger !== undefined || !this.#world.failures.has(ledgerId)) return ledger
    const damaged = new OpenLedger({ ledgerId, entries: 0, length: 0, fenced: true })
    this.#world.ledgers.set(ledgerId, damaged)
    return damaged
  }

  /** The ledger of a request, or `undefined` after refusing it because there is none. */
  #find(request: Append | Fence, ledgerId: LedgerId.LedgerId): OpenLedger | undefined {
    const ledger = this.#world.ledgers.get(ledgerId)
    if (ledger !== undefined && !ledger.next.deleted) return ledger
    const failure = ledger === undefined ? this.#world.failures.get(ledgerId) : undefined
    const refusal = failure ?? LedgerStorageError.noLedger(ledgerId, this.#where(request))
    this.#refuse(request, refusal, ledger !== undefined)
    return undefined
  }

  #change(ledger: OpenLedger, change: Partial<OpenLedger["next"]>): void {
    ledger.plan({ ...ledger.next, ...change })
    this.touched.add(ledger)
  }

  /** Appends to one ledger that come one after another are one change. */
  #addAppended(appended: Appended): void {
    const before = this.changes.at(-1)
    if (before?._tag === "Appended" && before.ledgerId === appended.ledgerId) {
      this.changes[this.changes.length - 1] = { ...appended, from: before.from, start: before.start }
    } else {
      this.changes.push(appended)
    }
  }

  /** Moves the frames of a request up to the others, if one before it was refused. Answers where they begin. */
  #moveUp({ end, start }: Placed): number {
    const target = this.#end
    if (target < start) this.#group.bytes.copyWithin(target, start, end)
    this.#end = target + (end - start)
    return target
  }

  /** Fills in the frames from an offset to the end. */
  #fillIn(start: number, ledgerId: LedgerId.LedgerId, from: bigint, lengthBefore: bigint): void {
    const { bytes, view } = this.#group
    let entryId = from
    let length = lengthBefore
    for (let offset = start; offset < this.#end;) {
      const size = EntryFrame.frameSizeAt(view, offset)
      length += BigInt(size - EntryFrame.headerSize)
      EntryFrame.putHeader(bytes, view, offset, ledgerId, entryId, length)
      entryId += 1n
      offset += size
    }
  }

  #record(record: LedgerRecord.LedgerRecord): void {
    this.#end = LedgerRecord.encode(this.#group.bytes, this.#group.view, this.#end, record)
    this.needsSync = true
  }

  #accept(request: Request, succeed: () => void): void {
    this.#outcomes.push({ request, depends: true, refusal: undefined, succeed })
  }

  #refuse(request: Request, refusal: Error, depends: boolean): void {
    this.#outcomes.push({ request, depends, refusal, succeed: ignore })
  }

  #where(request: Request): LedgerStorageError.Where {
    return { operation: request.call.operation, storage: this.#world.storage }
  }
}

/** How a request ends. */
interface Outcome {
  readonly request: Request
  /** Whether that depends on what the group changes, so that it fails if the group does. */
  readonly depends: boolean
  readonly refusal: Error | undefined
  readonly succeed: () => void
}

const ignore = (): void => {}
