/**
 * The life of a storage over a backend.
 *
 * Released first: those who wait to be let in are refused, tails end, and what is
 * in flight is waited for. Then the writer ends, after everything that was let in
 * has been written. Each step follows the one before it also where the scope
 * around them runs its finalizers at once.
 */
import * as Lifecycle from "@effect-bookie/lifecycle/Lifecycle"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Service } from "../LedgerStorage.ts"
import type { Backend } from "./Backend.ts"
import { InFlight } from "./InFlight.ts"
import { OpenLedgers } from "./ledgers/OpenLedgers.ts"
import type { Settings } from "./options.ts"
import { Reader } from "./read/Reader.ts"
import { RecentEntries } from "./read/RecentEntries.ts"
import { service } from "./service.ts"
import { Counts } from "./Statistics.ts"
import { Calls } from "./write/Calls.ts"
import type { Change } from "./write/Log.ts"
import * as Writer from "./write/Writer.ts"

/** Opens a storage over a backend in the current scope. */
export const make: <Place>(backend: Backend<Place>, settings: Settings) => Effect.Effect<Service, never, Scope.Scope> =
  Effect.fnUntraced(function* (backend, settings) {
    const scope = yield* Scope.fork(yield* Effect.scope, "sequential")
    return yield* open(backend, settings).pipe(
      Scope.provide(scope),
      Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
    )
  })

const open = Effect.fnUntraced(function* <Place>(backend: Backend<Place>, settings: Settings) {
  const { ledgerIds, log, name } = backend
  const counts = new Counts()
  const inFlight = new InFlight(name)
  const recent = new RecentEntries(settings.recentEntries)
  const ledgers = new OpenLedgers(backend.ledger, settings.maxIdleLedgers)
  const calls = new Calls(name, settings.maxBytesInFlight, counts)
  const onCommitted = (changes: ReadonlyArray<Change>, frames: Uint8Array) =>
    changes.forEach((change) => remember(recent, change, frames))
  yield* Lifecycle.scoped("ledger-storage", Effect.void, Effect.void)
  yield* Writer.run({ storage: name, calls, ledgerIds, ledgers, log, counts, onCommitted })
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      inFlight.close()
      calls.dismiss()
      ledgers.wakeAll()
      return inFlight.idle
    })
  )
  const reader = new Reader({ inFlight, backend, ledgers, recent, counts })
  return service({ stored: backend, settings, inFlight, calls, reader, statistics: counts })
})

/** Keeps what was appended for readers at the tail, and forgets what was deleted. */
const remember = (recent: RecentEntries, change: Change, frames: Uint8Array): void => {
  if (change._tag === "Appended") recent.add(change.ledgerId, change.from, frames.subarray(change.start, change.end))
  if (change._tag === "Deleted") change.ledgerIds.forEach((ledgerId) => recent.forget(ledgerId))
}
