/**
 * Mutants of the records of an index, put behind the back of RocksDB's
 * checksums: what a defect or a bad memory would leave.
 *
 * Nothing covers a record by itself, so a page may well name other locations.
 * But nothing crashes, and whoever reads an entry there gets its bytes or an
 * error, since the logs say whose bytes they hold.
 */
import { EntryLog } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Random } from "../../harness/Random.ts"
import type { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import { indexIn, keyOf, logsIn } from "../../model/Inspection.ts"
import { lastOf, type Placed, type Pristine } from "../../model/Pristine.ts"
import * as Subject from "./Subject.ts"

/** Damages a record, and uses the index. */
export const mutant = Effect.fnUntraced(function* (
  pristine: Pristine,
  directory: string,
  random: Random,
  outcome: Answers,
  tell: (what: string) => void
) {
  yield* Effect.scoped(damage(directory, random, tell))
  const log = yield* Effect.orDie(EntryLog.make({ directory: logsIn(directory), readOnly: true }))
  yield* Effect.gen(function* () {
    const index = yield* outcome.attempt("open", IndexState.open(directory))
    if (index === undefined) return
    yield* IndexState.scan(outcome, index)
    const looked = yield* IndexState.look(outcome, index, pristine.appended)
    const versions = Map.groupBy(pristine.appended, ({ entryId, ledgerId }) => keyOf(ledgerId, entryId))
    for (const [key, location] of looked) {
      const written: ReadonlyArray<Placed> = versions.get(key) ?? []
      const [id] = written
      if (id === undefined || lastOf(pristine).get(key)?.location === location) continue
      const payload = yield* outcome.attempt("read", log.read(id.ledgerId, id.entryId, location))
      if (payload !== undefined && !written.some((entry) => Buffer.compare(entry.payload, payload) === 0)) {
        outcome.wrong(`bytes that are not its are answered for ${key}`)
      }
      outcome.note("another location")
    }
    yield* Subject.use(outcome, index, lastOf(pristine))
  }).pipe(Effect.scoped)
  if (random.oneIn(3)) yield* Subject.rebuild(pristine, directory, outcome)
}, Effect.scoped)

const damage = Effect.fnUntraced(function* (directory: string, random: Random, tell: (what: string) => void) {
  const database = yield* Effect.orDie(RocksDB.make({ path: indexIn(directory), writeBufferSize: "1 MiB" }))
  const records = yield* Effect.orDie(Stream.runCollect(database.stream()))
  // Pages, mostly, which begin with 2; the others are counts.
  const chosen = records.filter(({ key }) => random.oneIn(4) || key[0] === 2)
  const record = chosen[random.below(chosen.length)]
  const other = chosen[random.below(chosen.length)]
  if (record === undefined || other === undefined) return
  const { value, what } = change(random, record.value, other.value)
  tell(`record ${Buffer.from(record.key).toString("hex")} ${what}`)
  yield* Effect.orDie(value === undefined ? database.remove(record.key) : database.put(record.key, value))
})

const change = (
  random: Random,
  value: Uint8Array,
  other: Uint8Array
): { readonly value: Uint8Array | undefined; readonly what: string } => {
  const changed = Uint8Array.from(value)
  const at = random.below(value.length)
  switch (random.below(8)) {
    case 0:
      return { value: value.slice(0, at), what: `cut to ${at} bytes` }
    case 1:
      return { value: other, what: "replaced by another record" }
    case 2:
      return { value: Uint8Array.from([...value, ...other]), what: "longer by another record" }
    case 3:
      return { value: undefined, what: "removed" }
    case 4:
      return {
        value: changed.map((byte, place) => (place < at ? byte : random.below(256))),
        what: `garbage from byte ${at}`
      }
    default: {
      const bit = random.below(8)
      changed[at] = (changed[at] ?? 0) ^ (1 << bit)
      return { value: changed, what: `bit ${bit} of byte ${at} flipped` }
    }
  }
}
