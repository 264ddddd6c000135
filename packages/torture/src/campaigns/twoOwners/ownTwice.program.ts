/**
 * Opens what this process has open already, by each name that the directory
 * has, also while it is being opened and closed, and reports. Arguments: what,
 * the directory, how many times.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Findings } from "../../harness/Findings.ts"
import * as Report from "../../harness/Report.ts"
import { type Owned, type Subject, subjects } from "./Subject.ts"

const [name = "", directory = "", times = ""] = process.argv.slice(2)

const findings = new Findings()
let refused = 0

const real = Path.join(directory, "real")
const link = Path.join(directory, "link")
const spellings = [real, `${real}/`, Path.join(directory, ".", "real", "..", "real"), link, `${link}/.`]

const tagOf = <A>(exit: Exit.Exit<A, { readonly reason: { readonly _tag: string } }>): string => {
  if (Exit.isSuccess(exit)) return "opened"
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" ? error.value.reason._tag : Cause.pretty(exit.cause)
}

/** Opens by every name, which must be refused at once. */
const openAgain = Effect.fnUntraced(function* (subject: Subject, owned: Owned, number: number) {
  for (const spelling of spellings) {
    const start = performance.now()
    const tag = tagOf(yield* Effect.exit(Effect.scoped(subject.open(spelling))))
    const millis = performance.now() - start
    findings.check(tag === "Locked", `a second open of ${spelling} answered ${tag}`)
    findings.check(millis < 10_000, `a second open was refused only after ${Math.round(millis)} ms`)
    const used = yield* Effect.exit(owned.use(number))
    findings.check(Exit.isSuccess(used) && used.value, `the first owner could not go on: ${String(used)}`)
    refused += 1
  }
})

/** Two open at the same time: one has it. Then it closes while another opens. */
const race = Effect.fnUntraced(function* (subject: Subject, number: number) {
  const scopes = [yield* Scope.make(), yield* Scope.make()]
  const exits = yield* Effect.forEach(scopes, (scope) => Effect.exit(Scope.provide(subject.open(real), scope)), {
    concurrency: 2
  })
  const tags = exits.map(tagOf).toSorted()
  findings.check(tags.join() === "Locked,opened", `two opens at once answered ${tags.join()}`)
  const closing = yield* Effect.forkChild(Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void)))
  yield* Effect.sleep(number % 4)
  const during = tagOf(yield* Effect.exit(Effect.scoped(subject.open(link))))
  findings.check(during === "Locked" || during === "opened", `an open during the close answered ${during}`)
  yield* Fiber.join(closing)
})

const program = Effect.gen(function* () {
  Fs.mkdirSync(real)
  Fs.symlinkSync(real, link)
  const subject = subjects.find((subject) => subject.name === name) ?? subjects[0]
  for (let number = 0; number < Number(times); number++) {
    yield* Effect.scoped(
      Effect.flatMap(subject.open(spellings[number % spellings.length] ?? real), (owned) =>
        openAgain(subject, owned, number)
      )
    )
    yield* race(subject, number)
  }
})

await Effect.runPromise(program)
Report.print({ figures: { refused }, found: findings.all })
