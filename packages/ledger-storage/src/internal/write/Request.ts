/**
 * What the writer is asked for: to append entries, or to write down what happens
 * to ledgers.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type { Durability, EntryRange, LedgerInfo } from "../../LedgerStorage.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import type { Visitor } from "./Admission.ts"
import type { Call } from "./Call.ts"

/** Something to be written. */
export type Request = Append | Create | Fence | Delete

/** What all requests have. */
abstract class Written<A> implements Visitor {
  /** Who waits for it. */
  readonly call: Call<A>
  /** How many bytes its frames have at most. */
  readonly size: number
  /** How many frames it has at most. */
  readonly frames: number
  /** How much memory it takes up, about. */
  readonly bytes: number

  constructor(call: Call<A>, size: number, frames: number) {
    this.call = call
    this.size = size
    this.frames = frames
    this.bytes = size + overhead
  }

  /** Puts what is known of its frames at an offset. Answers false if the caller has changed what it passed. */
  put(_bytes: Uint8Array, _view: DataView, _offset: number): boolean {
    return true
  }
}

/** Appends entries to a ledger. */
export class Append extends Written<EntryRange> {
  readonly _tag = "Append"
  readonly ledgerId: LedgerId.LedgerId
  readonly durability: Durability
  /** Of all payloads, in bytes. */
  readonly length: number
  /** Empty once they have been put into a group. */
  #payloads: ReadonlyArray<Uint8Array>

  constructor(
    call: Call<EntryRange>,
    ledgerId: LedgerId.LedgerId,
    payloads: ReadonlyArray<Uint8Array>,
    durability: Durability
  ) {
    const size = framesSize(payloads)
    super(call, size, payloads.length)
    this.ledgerId = ledgerId
    this.durability = durability
    this.length = size - payloads.length * EntryFrame.headerSize
    this.#payloads = payloads
  }

  override put(bytes: Uint8Array, view: DataView, offset: number): boolean {
    // Payloads that were transferred away while they waited are empty by now.
    if (framesSize(this.#payloads) !== this.size) return false
    let at = offset
    for (const payload of this.#payloads) at = EntryFrame.putPayload(bytes, view, at, payload)
    this.#payloads = []
    return true
  }
}

/** Creates a ledger. */
export class Create extends Written<LedgerInfo> {
  readonly _tag = "Create"
  /** `undefined` for the next id. */
  readonly ledgerId: LedgerId.LedgerId | undefined
  readonly metadata: Uint8Array

  /** The metadata must not change. */
  constructor(call: Call<LedgerInfo>, ledgerId: LedgerId.LedgerId | undefined, metadata: Uint8Array) {
    super(call, LedgerRecord.createdFrameSize(metadata.length), 1)
    this.ledgerId = ledgerId
    this.metadata = metadata
  }
}

/** Fences a ledger. */
export class Fence extends Written<void> {
  readonly _tag = "Fence"
  readonly ledgerId: LedgerId.LedgerId

  constructor(call: Call<void>, ledgerId: LedgerId.LedgerId) {
    super(call, LedgerRecord.fencedFrameSize(), 1)
    this.ledgerId = ledgerId
  }
}

/** Deletes ledgers, as many as one record holds at most. */
export class Delete extends Written<void> {
  readonly _tag = "Delete"
  readonly ledgerIds: ReadonlyArray<LedgerId.LedgerId>

  /** The array must not change. */
  constructor(call: Call<void>, ledgerIds: ReadonlyArray<LedgerId.LedgerId>) {
    super(call, LedgerRecord.deletedFrameSize(ledgerIds.length), 1)
    this.ledgerIds = ledgerIds
  }
}

/** What a request takes up beside its frames, in bytes. */
const overhead = 256

const framesSize = (payloads: ReadonlyArray<Uint8Array>): number => {
  let size = 0
  for (const payload of payloads) size += EntryFrame.frameSize(payload)
  return size
}
