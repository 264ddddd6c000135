/**
 * What memory knows of a ledger that is in use.
 *
 * There are two states of it: what has been acknowledged, which readers go by,
 * and the next one, which the group that is being written leads to. The next one
 * becomes the acknowledged one with the group, or is taken back with it.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type { LedgerInfo } from "../../LedgerStorage.ts"
import { Followers } from "./Followers.ts"

/** The state of a ledger. */
export interface LedgerState {
  /** -1 if there is none. */
  readonly lastEntryId: bigint
  /** Payload bytes of all entries. */
  readonly length: bigint
  readonly fenced: boolean
  readonly deleted: boolean
}

/** A ledger in use. */
export class OpenLedger {
  readonly ledgerId: LedgerId.LedgerId
  /** Those who wait for a change of what has been acknowledged. */
  readonly followers = new Followers()
  #acknowledged: LedgerState
  #next: LedgerState

  constructor({ entries, fenced, ledgerId, length }: Pick<LedgerInfo, "entries" | "fenced" | "ledgerId" | "length">) {
    this.ledgerId = ledgerId
    this.#acknowledged = { lastEntryId: BigInt(entries) - 1n, length: BigInt(length), fenced, deleted: false }
    this.#next = this.#acknowledged
  }

  /** What readers go by. */
  get acknowledged(): LedgerState {
    return this.#acknowledged
  }

  /** What the group that is being written leads to. */
  get next(): LedgerState {
    return this.#next
  }

  /** Moves on to the next state, or within it. */
  plan(state: LedgerState): void {
    this.#next = state
  }

  /** The group has been acknowledged. Its followers are yet to be woken. */
  acknowledge(): void {
    this.#acknowledged = this.#next
  }

  /** The group has failed, and left nothing behind. */
  takeBack(): void {
    this.#next = this.#acknowledged
  }
}
