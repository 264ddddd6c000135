/**
 * Two owners: a second open of a directory, in the process that has it open and
 * in others, is refused at once and harms nobody, also while a full disk makes
 * the owner open its directory anew; and an owner that was killed locks nobody
 * out.
 */
import * as Effect from "effect/Effect"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"
import { subjects } from "./Subject.ts"

/** The campaign. */
export const twoOwners: Campaign = {
  name: "two-owners",
  promise: "A directory has one owner at a time, and the next one as soon as that is gone",
  run: (settings) =>
    Effect.gen(function* () {
      const random = Random.make(settings.seed)
      const findings = new Findings()
      const figures = { refused: 0, kills: 0, fills: 0 }
      const rounds = yield* Rounds.repeat(settings, 4, () =>
        Effect.gen(function* () {
          // Chosen here, so that the seed decides although both run at once.
          const all = owned().map((one) => ({ ...one, ends: [chooseEnd(random), chooseEnd(random)] }))
          yield* Effect.forEach(
            all,
            ({ ends, engine, name }) =>
              Effect.gen(function* () {
                figures.refused += yield* withinAProcess(engine, name, findings)
                figures.refused += yield* amongProcesses(engine, name, ends, findings)
                figures.kills += ends.filter(({ signal }) => signal === "SIGKILL").length
              }),
            { concurrency: 2 }
          )
          return findings.none
        })
      )
      const disks = Process.canMount() ? Engines.all() : []
      yield* Rounds.repeatInLanes(settings, disks.length, fullDisks * disks.length, (round) =>
        Effect.map(onFullDisk(disks[round % disks.length] ?? Engines.native, settings.seed + round), (report) => {
          report.found.forEach((finding) => findings.add(finding))
          figures.refused += report.figures["refused"] ?? 0
          figures.fills += report.figures["fills"] ?? 0
          return findings.none
        })
      )
      const names = owned().map(({ engine, name }) => `${name} (${engine.name})`)
      return Engines.withAbsence({
        did:
          `${rounds} rounds with ${names.join(", ")}: ${figures.refused} second opens refused, ` +
          `${figures.kills} owners killed and followed at once` +
          (disks.length > 0
            ? `, ${figures.fills} times a full disk`
            : "; without a full disk, for which this system does not let us mount a file system"),
        found: findings.all
      })
    })
}

/** What has one owner, on each engine where that makes a difference. */
const owned = (): ReadonlyArray<{ readonly engine: Engines.Engine; readonly name: string }> =>
  subjects.flatMap(({ hasEngine, name }) =>
    (hasEngine ? Engines.all() : [Engines.native]).map((engine) => ({ engine, name }))
  )

const withinAProcess = (engine: Engines.Engine, name: string, findings: Findings): Effect.Effect<number> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const report = Report.read(yield* Process.run(engine.program("campaigns/twoOwners/ownTwice", name, directory, "5")))
    for (const finding of report.found) findings.add(`${name} on ${engine.name}: ${finding}`)
    return report.figures["refused"] ?? 0
  }).pipe(Effect.scoped)

/** Some processes open a directory at the same moment, again once the one that has it was killed or has left. */
const amongProcesses = Effect.fnUntraced(function* (
  engine: Engines.Engine,
  name: string,
  ends: ReadonlyArray<End>,
  findings: Findings
) {
  const directory = yield* Directory.temporary
  let refused = 0
  for (const { delayMillis, signal } of ends) {
    const time = String(Date.now() + startMillis)
    const contenders = yield* Effect.forEach(Array.from({ length: contending }), () =>
      Process.start(engine.program("campaigns/twoOwners/own", name, `${directory}/one`, time))
    )
    // The owner lives on; the others end by themselves.
    const isOwned = yield* Effect.forEach(contenders, (child) => child.printed("owned\n"), { concurrency: contending })
    const owners = contenders.filter((_, at) => isOwned[at])
    findings.check(
      owners.length === 1,
      `${name} on ${engine.name}: ${owners.length} of ${contending} processes own one directory`
    )
    for (const [at, child] of contenders.entries()) {
      if (isOwned[at] === true) continue
      const { stdout, ...ended } = yield* child.ended
      const millis = Number(/refused in (\d+)/.exec(stdout)?.[1])
      const isRight = stdout.includes("Locked\n") && millis < atOnceMillis
      findings.check(isRight, `${name} on ${engine.name}: a second process ${Process.describe({ ...ended, stdout })}`)
      refused += 1
    }
    yield* Effect.sleep(delayMillis)
    for (const owner of owners) {
      yield* owner.kill(signal)
      const ended = yield* owner.ended
      const isRight = signal === "SIGKILL" ? ended.signal === signal : /^used \d+$/m.test(ended.stdout)
      findings.check(isRight, `${name} on ${engine.name}: the owner ${Process.describe(ended)}`)
    }
  }
  return refused
}, Effect.scoped)

/** How many owners have a disk that fills up, on each engine. */
const fullDisks = 4

/** An owner that opens its directory anew again and again, and a process that would take it over. */
const onFullDisk = Effect.fnUntraced(function* (engine: Engines.Engine, seed: number) {
  const directory = yield* Directory.temporary
  const contend = JSON.stringify(engine.program("model/contend"))
  const owner = engine.program("campaigns/twoOwners/ownFullDisk", directory, String(seed), contend)
  const report = Report.read(yield* Process.run(Process.onSmallDisk("48m", directory, owner), { seconds: 900 }))
  return { ...report, found: report.found.map((finding) => `${engine.name}, full disk of seed ${seed}: ${finding}`) }
}, Effect.scoped)

/** How an owner ends. */
interface End {
  readonly signal: "SIGKILL" | "SIGTERM"
  readonly delayMillis: number
}

const chooseEnd = (random: Random.Random): End => ({
  signal: random.pick(["SIGKILL", "SIGKILL", "SIGTERM"]),
  delayMillis: random.below(30)
})

const contending = 3

/** In milliseconds: long enough for the processes to start, so that they open at the same moment. */
const startMillis = 700

/** Longer than any machine takes, and shorter than any wait for a lock. */
const atOnceMillis = 10_000
