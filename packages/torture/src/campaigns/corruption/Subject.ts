/**
 * What is done with the index of a damaged directory besides reading it: it is
 * written to, and rebuilt.
 */
import { type EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import * as Effect from "effect/Effect"
import { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import { indexIn, logsIn } from "../../model/Inspection.ts"
import { lastOf, type Pristine } from "../../model/Pristine.ts"

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** Adds, deletes and compacts, each of which may fail. */
export const use = Effect.fnUntraced(function* (outcome: Answers, index: Index, state: IndexState.State) {
  const entries = [...state.values()]
  const some = entries.filter((_, at) => at % 97 === 0)
  yield* outcome.attempt("addLocations", index.addLocations(some))
  const first = entries[0]
  if (first !== undefined) yield* outcome.attempt("deleteLedger", index.deleteLedger(first.ledgerId))
  yield* outcome.attempt("compact", index.compact)
  yield* outcome.attempt("addLocations", index.addLocations(some))
})

/** Rebuilds the index from intact logs, which is what each Corruption asks for; everything must be there again. */
export const rebuild = Effect.fnUntraced(function* (pristine: Pristine, directory: string, outcome: Answers) {
  const rebuilt = yield* Effect.result(
    IndexRebuild.rebuild({
      entryLogs: logsIn(directory),
      database: indexIn(directory),
      includes: (ledgerId) => !pristine.deleted.has(ledgerId)
    })
  )
  if (rebuilt._tag === "Failure") {
    // A directory that may be another program's is not replaced.
    outcome.note(`${rebuilt.failure.reason._tag} from the rebuild`)
    if (rebuilt.failure.reason._tag !== "UnsupportedFormat") {
      outcome.wrong(`it cannot be rebuilt: ${rebuilt.failure.message}`)
    }
    return
  }
  const after = new Answers((what) => outcome.wrong(`after the rebuild, ${what}`))
  yield* Effect.gen(function* () {
    const index = yield* after.attempt("open", IndexState.open(directory))
    if (index === undefined) return
    const found = yield* IndexState.scan(after, index)
    if (!IndexState.isWhole(lastOf(pristine), found)) outcome.wrong("the rebuilt index holds something else")
  }).pipe(Effect.scoped)
  if (after.hasErrors) outcome.wrong(`the rebuilt index answers ${after.summary}`)
})
