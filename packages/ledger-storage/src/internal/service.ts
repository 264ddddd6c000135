/**
 * The service that callers see, over the parts of a storage: checks arguments,
 * answers `Closed` after the release, and knows who does what.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LedgerInfo, Service } from "../LedgerStorage.ts"
import * as LedgerStorageError from "../LedgerStorageError.ts"
import * as Arguments from "./arguments.ts"
import type { Stored } from "./Backend.ts"
import type { InFlight } from "./InFlight.ts"
import type { Settings } from "./options.ts"
import type { Reader } from "./read/Reader.ts"
import type { Statistics } from "./Statistics.ts"
import type { Calls } from "./write/Calls.ts"

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
    run(inFlight, "createLedger", (refuse) => {
      const asked = { ...options }
      return refuse(Arguments.checkCreate(asked)) ?? calls.create(asked)
    }),
  ledger: (ledgerId) =>
    run(inFlight, "ledger", (refuse) => refuse(Arguments.checkLedgerId(ledgerId)) ?? stored.ledger(ledgerId)),
  ledgers: stream(inFlight, "ledgers", () => inFlight.stream("ledgers", stored.ledgers)),
  fence: (ledgerId) =>
    run(inFlight, "fence", (refuse) => {
      const fenced = Effect.flatMap(stored.ledger(ledgerId), (info) => present(info, ledgerId, stored.name))
      return refuse(Arguments.checkLedgerId(ledgerId)) ?? Effect.andThen(calls.fence(ledgerId), fenced)
    }),
  deleteLedger: (ledgerId) =>
    run(
      inFlight,
      "deleteLedger",
      (refuse) => refuse(Arguments.checkLedgerId(ledgerId)) ?? calls.delete("deleteLedger", [ledgerId])
    ),
  deleteLedgers: (ledgerIds) =>
    run(inFlight, "deleteLedgers", (refuse) => {
      const asked = Arguments.copyArray(ledgerIds)
      return refuse(Arguments.checkLedgerIds(asked)) ?? calls.delete("deleteLedgers", asked)
    })
})

const appends = ({ calls, inFlight, settings, stored }: Parts): Pick<Service, "append" | "appendAll"> => {
  const append = (
    operation: string,
    [ledgerId, payloads, options]: Parameters<Service["appendAll"]>
  ): ReturnType<Service["appendAll"]> =>
    run(inFlight, operation, (refuse) => {
      const asked = Arguments.copyArray(payloads)
      const { durability = settings.durability } = { ...options }
      const problem =
        Arguments.checkLedgerId(ledgerId) ??
        Arguments.checkPayloads(asked, stored.maxPayloadSize) ??
        Arguments.checkAppend({ durability })
      return refuse(problem) ?? calls.append(operation, ledgerId, asked, durability)
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
    run(inFlight, "readMany", (refuse) => {
      const asked = Arguments.copyKeys(keys)
      return refuse(Arguments.checkKeys(asked)) ?? reader.readMany("readMany", asked)
    }),
  entries: (ledgerId, range) =>
    stream(inFlight, "entries", (refuse) => {
      const asked = { ...range }
      const problem = Arguments.checkLedgerId(ledgerId) ?? Arguments.checkRange(asked)
      return refuse(problem) ?? reader.entries(ledgerId, asked)
    }),
  tail: (ledgerId, range) =>
    stream(inFlight, "tail", (refuse) => {
      const asked = { ...range }
      const problem = Arguments.checkLedgerId(ledgerId) ?? Arguments.checkTail(asked)
      return refuse(problem) ?? reader.tail(ledgerId, asked)
    })
})

const upkeep = ({ inFlight, stored }: Parts): Pick<Service, "check" | "collect"> => ({
  collect: (options) =>
    run(inFlight, "collect", (refuse) => {
      const asked = { ...options }
      return refuse(Arguments.checkCollect(asked)) ?? stored.collect(asked)
    }).pipe(Effect.withSpan("LedgerStorage.collect")),
  check: (options) =>
    stream(inFlight, "check", (refuse) => {
      const asked = { ...options }
      return refuse(Arguments.checkCheck(asked)) ?? inFlight.stream("check", stored.check(asked))
    }).pipe(Stream.withSpan("LedgerStorage.check"))
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
    Effect.suspend(() => {
      try {
        return use((problem) =>
          problem === undefined ? undefined : Effect.fail(refusal(inFlight, operation, problem))
        )
      } catch (thrown) {
        return Effect.fail(refusal(inFlight, operation, unreadable(thrown)))
      }
    })
  )

/** Like `run`, for a stream. It counts by itself what it has in flight. */
const stream = <A>(
  inFlight: InFlight,
  operation: string,
  use: (refuse: (problem: string | undefined) => Stream.Stream<never, Error> | undefined) => Stream.Stream<A, Error>
): Stream.Stream<A, Error> =>
  Stream.suspend(() => {
    if (inFlight.closed) return Stream.fail(inFlight.closedError(operation))
    try {
      return use((problem) => (problem === undefined ? undefined : Stream.fail(refusal(inFlight, operation, problem))))
    } catch (thrown) {
      return Stream.fail(refusal(inFlight, operation, unreadable(thrown)))
    }
  })

const refusal = ({ storage }: InFlight, operation: string, problem: string): Error =>
  LedgerStorageError.invalidArgument(problem, { operation, storage })

/** What a getter of the caller, or a proxy, has thrown. */
const unreadable = (thrown: unknown): string => `the arguments cannot be read: ${String(thrown)}`

/** A ledger that has been fenced just now, unless it has been deleted meanwhile. */
const present = (
  info: LedgerInfo | undefined,
  ledgerId: LedgerInfo["ledgerId"],
  storage: string
): Effect.Effect<LedgerInfo, Error> =>
  info === undefined
    ? Effect.fail(LedgerStorageError.noLedger(ledgerId, { operation: "fence", storage }))
    : Effect.succeed(info)
