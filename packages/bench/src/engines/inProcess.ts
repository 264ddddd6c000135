/**
 * An engine that runs in this process.
 */
import * as Fs from "node:fs"
import type { Host } from "../Engine.ts"

/** What is particular to an engine. */
export type Kind = Pick<Host, "open" | "cachedEntrySize">

/** Hosts an engine in this process, and times it by the wall clock. */
export const inProcess = (kind: Kind): Host => ({
  ...kind,
  time: async (call) => {
    const start = performance.now()
    await call()
    return performance.now() - start
  },
  peakMemory: async () => peakMemoryOf("self") ?? process.resourceUsage().maxRSS * 1024,
  usualCacheSize: 0,
  onEventLoop: true,
  stop: async () => {}
})

/** The most memory that a process has had in bytes, or `undefined` where the system does not say. */
export const peakMemoryOf = (processId: number | "self"): number | undefined => {
  // Not `maxRSS` where there is better: on Linux a child begins with that of its parent.
  if (process.platform !== "linux") return undefined
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(Fs.readFileSync(`/proc/${processId}/status`, "utf8"))
  return peak === null ? undefined : Number(peak[1]) * 1024
}
