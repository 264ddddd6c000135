/**
 * The service that callers see, over the parts of a storage: checks arguments,
 * answers `Closed` after the release, and knows who does what.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LedgerInfo, LedgerStorage } from "../LedgerStorage.ts"
import * as LedgerStorageError from "../LedgerStorageError.ts"
import * as Arguments from "./arguments.ts"
import type { Stored } from "./Backend.ts"
import type { InFlight } from "./InFlight.ts"
import type { Settings } from "./options.ts"
import type { Reader } from "./read/Reader.ts"
import type { Statistics } from "./Statistics.ts"
import type { Calls } from "./write/Calls.ts"

type Service = LedgerStorage["Service"]
type Error = LedgerStorageError.LedgerStorageError

/** What a service works on. */
export interface Parts {
  readonly stored: Stored
  readonly settings: Settings
  readonly inFlight: InFlight
  readonly calls: Calls
  readonly reader: Reader
  readonly statistics: Statistics
}

/** The service of a storage. */
export const service = (parts: Parts): Service => ({
  name: parts.stored.name,
  statistics: parts.statistics,
  ...ledgers(parts),
  ...appends(parts),
  ...reads(parts),
  ...upkeep(parts)
})

const ledgers = ({
  calls,
  inFlight,
  stored
}: Parts): Pick<Service, "createLedger" | "deleteLedger" | "deleteLedgers" | "fence" | "ledger" | "ledgers"> => ({
  createLedger: (options) =>
    run(
      inFlight,
      "createLedger",
      (refuse) => refuse(Arguments.checkCreate(options ?? {})) ?? calls.create(options ?? {})
    ),
  ledger: (ledgerId) =>
    run(inFlight, "ledger", (refuse) => refuse(Arguments.checkLedgerId(ledgerId)) ?? stored.ledger(ledgerId)),
  ledgers: stream(inFlight, "ledgers", () => inFlight.stream("ledgers", stored.ledgers)),
  fence: (ledgerId) =>
    run(
      inFlight,
      "fence",
      (refuse) =>
        refuse(Arguments.checkLedgerId(ledgerId)) ??
        Effect.andThen(
          calls.fence(ledgerId),
          Effect.flatMap(stored.ledger(ledgerId), (info) => present(info, ledgerId, stored.name))
        )
    ),
  deleteLedger: (ledgerId) =>
    run(
      inFlight,
      "deleteLedger",
      (refuse) => refuse(Arguments.checkLedgerId(ledgerId)) ?? calls.delete("deleteLedger", [ledgerId])
    ),
  deleteLedgers: (ledgerIds) =>
    run(
      inFlight,
      "deleteLedgers",
      (refuse) => refuse(Arguments.checkLedgerIds(ledgerIds)) ?? calls.delete("deleteLedgers", ledgerIds)
    )
})

const appends = ({ calls, inFlight, settings, stored }: Parts): Pick<Service, "append" | "appendAll"> => {
  const append = (
    operation: string,
    [ledgerId, payloads, options]: Parameters<Service["appendAll"]>
  ): ReturnType<Service["appendAll"]> =>
    run(inFlight, operation, (refuse) => {
      const problem =
        Arguments.checkLedgerId(ledgerId) ??
        Arguments.checkPayloads(payloads, stored.maxPayloadSize) ??
        Arguments.checkAppend(options ?? {})
      return refuse(problem) ?? calls.append(operation, ledgerId, payloads, options?.durability ?? settings.durability)
    })
  return {
    append: (ledgerId, payload, options) =>
      Effect.map(append("append", [ledgerId, [payload], options]), ({ from }) => from),
    appendAll: (ledgerId, payloads, options) => append("appendAll", [ledgerId, payloads, options])
  }
}

const reads = ({ inFlight, reader }: Parts): Pick<Service, "entries" | "read" | "readMany" | "tail"> => ({
  read: (ledgerId, entryId) =>
    Effect.map(
      run(
        inFlight,
        "read",
        (refuse) => refuse(Arguments.checkKey(ledgerId, entryId)) ?? reader.readMany("read", [{ ledgerId, entryId }])
      ),
      ([entry]) => entry
    ),
  readMany: (keys) =>
    run(inFlight, "readMany", (refuse) => refuse(Arguments.checkKeys(keys)) ?? reader.readMany("readMany", [...keys])),
  entries: (ledgerId, range) =>
    stream(inFlight, "entries", (refuse) => {
      const problem = Arguments.checkLedgerId(ledgerId) ?? Arguments.checkRange(range ?? {})
      return refuse(problem) ?? reader.entries(ledgerId, range ?? {})
    }),
  tail: (ledgerId, range) =>
    stream(inFlight, "tail", (refuse) => {
      const problem = Arguments.checkLedgerId(ledgerId) ?? Arguments.checkTail(range ?? {})
      return refuse(problem) ?? reader.tail(ledgerId, range ?? {})
    })
})

const upkeep = ({ inFlight, stored }: Parts): Pick<Service, "check" | "collect"> => ({
  collect: (options) =>
    run(
      inFlight,
      "collect",
      (refuse) => refuse(Arguments.checkCollect(options ?? {})) ?? stored.collect(options ?? {})
    ).pipe(Effect.withSpan("LedgerStorage.collect")),
  check: (options) =>
    stream(
      inFlight,
      "check",
      (refuse) => refuse(Arguments.checkCheck(options ?? {})) ?? inFlight.stream("check", stored.check(options ?? {}))
    ).pipe(Stream.withSpan("LedgerStorage.check"))
})

/** Fails an operation for a problem with its arguments, if there is one. */
interface Refuse {
  (problem: string | undefined): Effect.Effect<never, Error> | undefined
}

/** Runs an operation: its arguments are checked and used in one step, when the effect runs. */
const run = <A>(
  inFlight: InFlight,
  operation: string,
  use: (refuse: Refuse) => Effect.Effect<A, Error>
): Effect.Effect<A, Error> =>
  inFlight.run(
    operation,
    Effect.suspend(() => use((problem) => refusal(inFlight, operation, problem)))
  )

/** Like `run`, for a stream. It counts by itself what it has in flight. */
const stream = <A>(
  inFlight: InFlight,
  operation: string,
  use: (refuse: (problem: string | undefined) => Stream.Stream<never, Error> | undefined) => Stream.Stream<A, Error>
): Stream.Stream<A, Error> =>
  Stream.suspend(() => {
    if (inFlight.closed) return Stream.fail(inFlight.closedError(operation))
    return use((problem) => {
      const failure = refusal(inFlight, operation, problem)
      return failure === undefined ? undefined : Stream.fromEffect(failure)
    })
  })

const refusal = (
  { storage }: InFlight,
  operation: string,
  problem: string | undefined
): Effect.Effect<never, Error> | undefined =>
  problem === undefined ? undefined : Effect.fail(LedgerStorageError.invalidArgument(problem, { operation, storage }))

/** A ledger that has been fenced just now, unless it has been deleted meanwhile. */
const present = (
  info: LedgerInfo | undefined,
  ledgerId: LedgerInfo["ledgerId"],
  storage: string
): Effect.Effect<LedgerInfo, Error> =>
  info === undefined
    ? Effect.fail(LedgerStorageError.noLedger(ledgerId, { operation: "fence", storage }))
    : Effect.succeed(info)
