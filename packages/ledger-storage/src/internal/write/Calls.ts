/**
 * What callers ask for, on its way to the writer: through the admission, which
 * bounds the bytes in flight, into groups, in the order of the calls.
 *
 * A caller that is interrupted leaves. What it asked for is written all the same
 * once it has been let in.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CreateOptions, Durability, EntryRange, LedgerInfo } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import type { Counts } from "../Statistics.ts"
import { Admission } from "./Admission.ts"
import { Call, type Resume } from "./Call.ts"
import { type Group, maxFrames, maxSize } from "./Group.ts"
import { Intake } from "./Intake.ts"
import { Append, Create, Delete, Fence, type Request } from "./Request.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError.LedgerStorageError>

/** The calls that write to a storage. */
export class Calls {
  readonly #storage: string
  readonly #counts: Counts
  readonly #maxPart: number
  readonly #admission: Admission<Request>
  readonly #intake = new Intake()

  constructor(storage: string, maxBytesInFlight: number, counts: Counts) {
    this.#storage = storage
    this.#counts = counts
    this.#maxPart = Math.min(maxSize, maxBytesInFlight)
    this.#admission = new Admission(maxBytesInFlight, (request) => this.#letIn(request))
  }

  /** Appends entries with consecutive ids. */
  append(
    operation: string,
    ledgerId: LedgerId.LedgerId,
    payloads: ReadonlyArray<Uint8Array>,
    durability: Durability
  ): Answer<EntryRange> {
    return this.#call<EntryRange>((resume) => {
      const parts = cut(payloads, this.#maxPart)
      const call: Call<EntryRange> = new Call(
        operation,
        parts.length,
        (exit) => {
          if (Exit.isSuccess(exit)) this.#counts.appends.recordSince(call.startedAt)
          resume(exit)
        },
        (before, { to }) => ({ from: before.from, to })
      )
      return parts.map((part) => new Append(call, ledgerId, part, durability))
    })
  }

  /** Creates a ledger. */
  create({ ledgerId, metadata }: CreateOptions): Answer<LedgerInfo> {
    return this.#call<LedgerInfo>((resume) => [
      new Create(new Call("createLedger", 1, resume, later), ledgerId, new Uint8Array(metadata ?? []))
    ])
  }

  /** Fences a ledger. */
  fence(ledgerId: LedgerId.LedgerId): Answer<void> {
    return this.#call<void>((resume) => [new Fence(new Call("fence", 1, resume, later), ledgerId)])
  }

  /** Deletes ledgers. */
  delete(operation: string, ledgerIds: ReadonlyArray<LedgerId.LedgerId>): Answer<void> {
    if (ledgerIds.length === 0) return Effect.void
    return this.#call<void>((resume) => {
      const parts = chunks(ledgerIds, LedgerRecord.maxLedgers)
      const call = new Call<void>(operation, parts.length, resume, later)
      return parts.map((part) => new Delete(call, part))
    })
  }

  /** The next group, as soon as there is one; `undefined` after the end, once everything has been taken. */
  get next(): Effect.Effect<Group | undefined> {
    return this.#intake.next
  }

  /** Gives the room of a group that has been answered to those who wait. */
  leave(group: Group): void {
    for (const { request } of group.placed) this.#admission.leave(request)
    this.#count()
  }

  /** Takes the buffer of a group that has been written back. */
  recycle(group: Group): void {
    this.#intake.recycle(group)
  }

  /** Answers `Closed` to those who wait to be let in. Nobody may come any more. */
  dismiss(): void {
    for (const { call } of this.#admission.dismiss()) {
      const { operation } = call
      call.fail(Cause.fail(LedgerStorageError.closed({ operation, storage: this.#storage })))
    }
    this.#count()
  }

  /** Nothing comes any more. */
  end(): void {
    this.#intake.end()
  }

  #call<A>(requestsOf: (resume: Resume<A>) => ReadonlyArray<Request>): Answer<A> {
    return Effect.callback((resume) => {
      const requests = requestsOf(resume)
      for (const request of requests) this.#admission.arrive(request)
      this.#count()
      return Effect.sync(() => {
        for (const request of requests) this.#admission.withdraw(request)
        this.#count()
      })
    })
  }

  #letIn(request: Request): void {
    if (!request.call.failed && this.#intake.add(request)) return
    const { operation } = request.call
    const problem = "a payload was changed or transferred before it was taken; leave it alone until the call has ended"
    request.call.fail(Cause.fail(LedgerStorageError.invalidArgument(problem, { operation, storage: this.#storage })))
    this.#admission.leave(request)
  }

  #count(): void {
    this.#counts.bytesInFlight = this.#admission.bytesInFlight
    this.#counts.waiting = this.#admission.waiting
  }
}

/** Cuts payloads, in their order, so that no part has more bytes than that, or more frames than a group. */
const cut = (payloads: ReadonlyArray<Uint8Array>, maxBytes: number): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
  if (payloads.length === 1) return [[...payloads]]
  const parts: Array<Array<Uint8Array>> = []
  let size = Infinity
  for (const payload of payloads) {
    const last = parts.at(-1)
    size += EntryFrame.frameSize(payload)
    if (last !== undefined && size <= maxBytes && last.length < maxFrames) {
      last.push(payload)
    } else {
      parts.push([payload])
      size = EntryFrame.frameSize(payload)
    }
  }
  return parts
}

const chunks = <A>(values: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size))

/** The answer to a call whose answers say nothing of one another. */
const later = <A>(_before: A, value: A): A => value
