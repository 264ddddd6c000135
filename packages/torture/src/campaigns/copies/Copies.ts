/**
 * Copies: the directory of entry logs and an index is copied file by file while
 * it is open and written to, by its owner's process and by others. Meanwhile
 * another process tries all the time to open it, too.
 *
 * Such a copy is no backup: the files are of different moments. So its index
 * opens as it may, or is refused with a typed error. Its entry logs hold every
 * entry that was acknowledged before the copy began: an index rebuilt from them
 * has those.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Storing from "../../model/Storing.ts"
import * as Copying from "./Copying.ts"

/** How many owners there are, on each engine. */
const owners = 8

/** How many copies are taken of what an owner has open: by itself, and by others. */
const copiesWithin = 4
const copiesWithout = 2

/** In milliseconds: how long others wait before a copy at most. */
const longestPause = 200

/** The campaign. */
export const copies: Campaign = {
  name: "copies",
  promise:
    "A copy of an open directory takes neither its lock nor an entry from its owner, and crashes nobody who opens it",
  run: (settings) =>
    Effect.gen(function* () {
      const findings = new Findings()
      const totals: Totals = { acknowledged: 0, refused: 0, copies: 0, opened: 0, rebuilt: 0 }
      const engines = Engines.all()
      const rounds = yield* Rounds.repeatInLanes(settings, 2, owners * engines.length, (round) =>
        Effect.map(
          copyWhileOpen(engines[round % engines.length] ?? Engines.native, settings.seed + round, findings, totals),
          () => findings.none
        )
      )
      return Engines.withAbsence({
        did:
          `${rounds} owners on ${engines.map(({ name }) => name).join(" and ")}: ${totals.copies} copies, ` +
          `${totals.refused.toLocaleString("en")} second opens refused, ${totals.acknowledged.toLocaleString("en")} ` +
          `entries acknowledged and none lost; ${totals.opened} indexes of copies opened, ${totals.rebuilt} were rebuilt`,
        found: findings.all
      })
    })
}

interface Totals {
  acknowledged: number
  refused: number
  copies: number
  opened: number
  rebuilt: number
}

const copyWhileOpen = Effect.fnUntraced(function* (
  engine: Engines.Engine,
  seed: number,
  findings: Findings,
  totals: Totals
) {
  const random = Random.make(seed)
  const room = yield* Directory.temporary
  const live = Path.join(room, "live")
  Fs.mkdirSync(live)
  const note = (finding: string) => findings.add(`${engine.name}, seed ${seed}: ${finding}`)

  const owner = yield* Process.start(
    engine.program("campaigns/copies/own", live, room, String(seed), String(copiesWithin))
  )
  yield* owner.printed("acknowledged ")
  const { index, logs } = Stack.directories(live)
  const contender = yield* Process.start(engine.program("model/contend", `database=${index}`, `entry-log=${logs}`))
  yield* contender.printed("contending\n")
  yield* owner.kill("SIGUSR2")
  for (let copy = 0; copy < copiesWithout; copy++) {
    yield* Effect.sleep(random.below(longestPause))
    yield* Effect.promise(() => Copying.byAnother(live, Path.join(room, `without-${copy}`)))
  }
  yield* owner.printed("copied enough\n")
  yield* contender.kill("SIGTERM")
  const refusals = Report.read(yield* contender.ended)
  refusals.found.forEach(note)
  totals.refused += refusals.figures["refused"] ?? 0

  const signal = random.oneIn(2) ? "SIGTERM" : "SIGKILL"
  yield* owner.kill(signal)
  const ended = yield* owner.ended
  const isWell = signal === "SIGKILL" ? ended.signal === signal : ended.signal === null && ended.code === orderly
  if (!isWell || ended.hung) note(`the owner ${Process.describe(ended)}`)
  const acknowledged = Storing.readAcknowledged(ended.stdout)
  const verify = engine.program("model/verify", live, JSON.stringify([...acknowledged]))
  const there = Report.read(yield* Process.run(verify))
  there.found.forEach((finding) => note(`after the copies, ${finding}`))
  totals.acknowledged += [...acknowledged.values()].reduce((sum, count) => sum + count, 0)

  for (const [name, least] of copiesOf(ended.stdout, room)) {
    const examine = engine.program("campaigns/copies/examine", Path.join(room, name), JSON.stringify([...least]))
    const report = Report.read(yield* Process.run(examine))
    report.found.forEach((finding) => note(`the copy ${name}: ${finding}`))
    totals.copies += 1
    totals.opened += report.figures["opened"] ?? 0
    totals.rebuilt += report.figures["rebuilt"] ?? 0
  }
}, Effect.scoped)

/** What an interrupted main program of Effect exits with. */
const orderly = 130

/** The copies, each with what was acknowledged before it began, as far as that is known. */
const copiesOf = (printed: string, room: string): ReadonlyMap<string, ReadonlyMap<number, number>> => {
  const copies = new Map<string, ReadonlyMap<number, number>>()
  for (const name of Fs.readdirSync(room)) if (name.startsWith("without-")) copies.set(name, new Map())
  for (const { 1: name = "", index } of printed.matchAll(/^copying (\S+)\n/gm)) {
    copies.set(name, Storing.readAcknowledged(printed.slice(0, index)))
  }
  return copies
}
