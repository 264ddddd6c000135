/**
 * The ledgers that are in use, and some that were lately.
 *
 * - There is at most one `OpenLedger` of an id at a time: as long as someone
 *   holds it, everyone gets the same.
 * - A ledger is looked up once, however many ask for it at the same time.
 * - Of the ledgers that nobody holds, those that were used last are kept.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { LedgerInfo } from "../../LedgerStorage.ts"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"
import { OpenLedger } from "./OpenLedger.ts"

/** The ledgers of a storage that are in use. */
export class OpenLedgers {
  readonly #lookUp: (ledgerId: LedgerId.LedgerId) => Effect.Effect<LedgerInfo | undefined, LedgerStorageError>
  readonly #maxIdle: number
  readonly #slots = new Map<LedgerId.LedgerId, Slot>()
  /** Those that nobody holds, the one that was used last at the end. */
  readonly #idle = new Set<Slot>()

  constructor(
    lookUp: (ledgerId: LedgerId.LedgerId) => Effect.Effect<LedgerInfo | undefined, LedgerStorageError>,
    maxIdle: number
  ) {
    this.#lookUp = lookUp
    this.#maxIdle = maxIdle
  }

  /** How many ledgers are in memory. */
  get size(): number {
    return this.#slots.size
  }

  /** A ledger that is in memory, or `undefined`. */
  get(ledgerId: LedgerId.LedgerId): OpenLedger | undefined {
    return this.#slots.get(ledgerId)?.ledger
  }

  /** Holds a ledger that is in memory until it is released; `undefined` if it is not there. */
  hold(ledgerId: LedgerId.LedgerId): OpenLedger | undefined {
    const slot = this.#slots.get(ledgerId)
    if (slot?.ledger === undefined) return undefined
    this.#hold(slot)
    return slot.ledger
  }

  /**
   * Holds a ledger until it is released, and looks it up first if need be; `undefined` if there is none. To be run where
   * no interruption can come between it and what sees to the release.
   */
  acquire(ledgerId: LedgerId.LedgerId): Effect.Effect<OpenLedger | undefined, LedgerStorageError> {
    return Effect.suspend(() => {
      const held = this.hold(ledgerId)
      if (held !== undefined) return Effect.succeed(held)
      const known = this.#slots.get(ledgerId)
      const slot = known ?? this.#place(ledgerId, undefined)
      this.#hold(slot)
      // The fiber of its own goes on for the others if the one who asked first leaves.
      const begun = known === undefined ? Effect.forkDetach(this.#open(slot), { startImmediately: true }) : Effect.void
      return Effect.onExit(Effect.andThen(begun, Deferred.await(slot.opened)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) || exit.value === undefined) this.#release(slot)
        })
      )
    })
  }

  /** Lets go of a ledger that was held. */
  release(ledger: OpenLedger): void {
    const slot = this.#slots.get(ledger.ledgerId)
    // One that has been deleted meanwhile is here no more.
    if (slot?.ledger === ledger) this.#release(slot)
  }

  /** Adds a ledger that has just been created. */
  add(ledger: OpenLedger): void {
    const slot = this.#place(ledger.ledgerId, ledger)
    this.#hold(slot)
    this.#release(slot)
  }

  /** Forgets a ledger that has just been deleted. Those who hold it keep it. */
  remove(ledger: OpenLedger): void {
    const slot = this.#slots.get(ledger.ledgerId)
    if (slot === undefined) return
    this.#slots.delete(ledger.ledgerId)
    this.#idle.delete(slot)
  }

  /** Wakes the followers of all ledgers. */
  wakeAll(): void {
    for (const { ledger } of this.#slots.values()) ledger?.followers.wake()
  }

  #place(ledgerId: LedgerId.LedgerId, ledger: OpenLedger | undefined): Slot {
    const slot: Slot = { ledgerId, ledger, holders: 0, opened: Deferred.makeUnsafe() }
    this.#slots.set(ledgerId, slot)
    return slot
  }

  #open(slot: Slot): Effect.Effect<void> {
    return Effect.suspend(() => this.#lookUp(slot.ledgerId)).pipe(
      Effect.map((info) => (info === undefined ? undefined : new OpenLedger(info))),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) slot.ledger = exit.value
          if (slot.ledger === undefined && this.#slots.get(slot.ledgerId) === slot) this.#slots.delete(slot.ledgerId)
          Deferred.doneUnsafe(slot.opened, exit)
        })
      ),
      Effect.exit,
      Effect.asVoid
    )
  }

  #hold(slot: Slot): void {
    if (slot.holders === 0) this.#idle.delete(slot)
    slot.holders += 1
  }

  #release(slot: Slot): void {
    slot.holders -= 1
    if (slot.holders > 0 || slot.ledger === undefined || this.#slots.get(slot.ledgerId) !== slot) return
    this.#idle.add(slot)
    if (this.#idle.size <= this.#maxIdle) return
    for (const oldest of this.#idle) {
      this.#idle.delete(oldest)
      this.#slots.delete(oldest.ledgerId)
      return
    }
  }
}

/** A ledger in memory, or one that is being looked up. */
interface Slot {
  readonly ledgerId: LedgerId.LedgerId
  /** `undefined` until it has been looked up. */
  ledger: OpenLedger | undefined
  holders: number
  readonly opened: Deferred.Deferred<OpenLedger | undefined, LedgerStorageError>
}
