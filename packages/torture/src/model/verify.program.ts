/**
 * Opens what a program has left, holds it against what was acknowledged, and
 * reports. Arguments: the directory, and as JSON pairs of ledgers and counts.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../harness/Findings.ts"
import * as Report from "../harness/Report.ts"
import * as Stack from "../harness/Stack.ts"
import * as Storing from "./Storing.ts"

const [directory = "", acknowledged = ""] = process.argv.slice(2)

const findings = new Findings()
const verify = Storing.verify(new Map<number, number>(JSON.parse(acknowledged)), findings)
const entries = await Effect.runPromise(Effect.provide(verify, Stack.layer({ directory })))
Report.print({ figures: { entries }, found: findings.all })
