/**
 * What a process can be told to do, by name.
 */
import type { Session, Values } from "./Session.ts"
import { add, compact, remove } from "./steps/adding.ts"
import { eventLoop } from "./steps/eventLoop.ts"
import { cold, last, lookups, runs, scans, shut, uniform, warm } from "./steps/reading.ts"

/** A part of a run. Turns count from 1 on. */
export type Step = (session: Session, turn: number) => Promise<Values>

export type StepName =
  | "add"
  | "warm"
  | "lookup-many"
  | "lookup-one"
  | "scan"
  | "columns"
  | "last"
  | "cold"
  | "lookup-cold"
  | "lookup-runs"
  | "shut"
  | "compact"
  | "delete"
  | "event-loop"
  | "memory"

export const steps: Readonly<Record<StepName, Step>> = {
  add,
  warm,
  "lookup-many": lookups("lookup-many", uniform, "getMany"),
  "lookup-one": lookups("lookup-one", uniform, "getEach"),
  scan: scans("scan", (engine) => engine.scan),
  columns: scans("columns", (engine) => engine.columns ?? engine.scan),
  last,
  cold,
  "lookup-cold": lookups("lookup-cold", uniform, "getMany"),
  "lookup-runs": lookups("lookup-runs", runs, "getMany"),
  shut,
  compact,
  delete: remove,
  "event-loop": eventLoop,
  memory: async ({ host }) => ({ memory: (await host.peakMemory()) / 2 ** 20 })
}
