/**
 * Mutants of a database directory: each file of RocksDB's, flipped, cut,
 * overwritten, exchanged or removed.
 *
 * Right data or an error. One thing more may be: where a write-ahead log is
 * damaged, RocksDB cannot tell that from the torn tail of a crash, and opens
 * the database as it was before the first write that it cannot read. So the
 * index may hold an earlier state of itself, but a state that it was in, whole.
 * The same goes for the end of the MANIFEST, which lists the SST files; there
 * what was written since may be missing in part.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Random } from "../../harness/Random.ts"
import type { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import { indexIn, keyOf } from "../../model/Inspection.ts"
import { lastOf, type Pristine } from "../../model/Pristine.ts"
import * as Mutation from "./Mutation.ts"
import * as Subject from "./Subject.ts"

/** Damages a file of the database, and uses it. */
export const mutant = Effect.fnUntraced(function* (
  pristine: Pristine,
  directory: string,
  random: Random,
  outcome: Answers,
  tell: (what: string) => void
) {
  const path = indexIn(directory)
  const mutation = Mutation.mutate(random, path, choose(random, path))
  tell(`${mutation.file} ${mutation.what}`)
  // Twice: the first open may leave something behind, also one that failed.
  yield* Effect.scoped(examine(pristine, directory, mutation, outcome, false))
  yield* Effect.scoped(examine(pristine, directory, mutation, outcome, true))
  if (random.oneIn(4)) yield* Subject.rebuild(pristine, directory, outcome)
})

const examine = Effect.fnUntraced(function* (
  pristine: Pristine,
  directory: string,
  mutation: Mutation.Mutation,
  outcome: Answers,
  andUse: boolean
) {
  const index = yield* outcome.attempt("open", IndexState.open(directory))
  if (index === undefined) return
  const looked = yield* IndexState.look(outcome, index, pristine.appended)
  const scanned = yield* IndexState.scan(outcome, index)
  const count = yield* outcome.attempt("entryCount", index.entryCount)
  const last = lastOf(pristine)
  const fits = outcome.hasErrors ? IndexState.isPart : IndexState.isWhole
  const state = (isOfWal(mutation) ? pristine.states : [last]).findLast(
    (state) => fits(state, looked) && fits(state, scanned)
  )
  if (
    state === undefined &&
    mutation.file.startsWith("MANIFEST") &&
    isOld(pristine, looked) &&
    isOld(pristine, scanned)
  ) {
    outcome.note("parts of earlier states, of a MANIFEST without its end")
  } else if (state === undefined) {
    outcome.wrong(
      `it holds what it never held: ${looked.size} entries of ${last.size} by lookups, ${scanned.size} by scans`
    )
  } else if (!outcome.hasErrors) {
    if (count !== BigInt(state.size)) outcome.wrong(`it counts ${count} entries and holds ${state.size}`)
    if (state !== last) outcome.note("an earlier state")
  }
  if (andUse) yield* Subject.use(outcome, index, last)
})

/** The files of one kind. LOG files are for people to read. */
const choose = (random: Random, path: string): ReadonlyArray<string> => {
  const kind = random.pick([
    /\.sst$/,
    /\.sst$/,
    /\.sst$/,
    /\.log$/,
    /\.log$/,
    /^MANIFEST/,
    /^MANIFEST/,
    /^CURRENT$/,
    /./
  ])
  return Fs.readdirSync(path).filter((name) => kind.test(name) && !name.startsWith("LOG"))
}

const isOfWal = ({ file, what }: Mutation.Mutation): boolean => file.endsWith(".log") || what.endsWith(".log")

/** Whether every location was that of its entry at some time. */
const isOld = ({ appended }: Pristine, found: IndexState.Locations): boolean => {
  const old = new Set(appended.map(({ entryId, ledgerId, location }) => `${keyOf(ledgerId, entryId)} ${location}`))
  return [...found].every(([key, location]) => old.has(`${key} ${location}`))
}
