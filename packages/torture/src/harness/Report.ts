/**
 * What a program of a campaign did and found, as the last line that it prints.
 */
import { describe, type Ended } from "./Process.ts"

/** What a program did and found. */
export interface Report {
  readonly figures: Readonly<Record<string, number>>
  readonly found: ReadonlyArray<string>
}

/** Prints the report of this process. */
export const print = (report: Report): void => console.log(`${prefix}${JSON.stringify(report)}`)

/**
 * Prints the report, and ends this process if something was found: what hangs is a finding by then, and must not keep the
 * process, which would even wait for native calls at its exit.
 */
export const finish = (report: Report): void => {
  print(report)
  if (report.found.length > 0) process.kill(process.pid, "SIGKILL")
}

/** The report of a program that has ended; one that ended badly, and without findings, is a finding. */
export const read = (ended: Ended): Report => {
  const line = ended.stdout.split("\n").findLast((line) => line.startsWith(prefix))
  const report: Report = line === undefined ? { figures: {}, found: [] } : JSON.parse(line.slice(prefix.length))
  const isWell = (ended.code === 0 && line !== undefined) || report.found.length > 0
  return isWell ? report : { ...report, found: [...report.found, describe(ended)] }
}

/** The sum of a figure of reports. */
export const sum = (reports: ReadonlyArray<Report>, figure: string): number =>
  reports.reduce((total, { figures }) => total + (figures[figure] ?? 0), 0)

/** The findings of reports. */
export const findings = (reports: ReadonlyArray<Report>): ReadonlyArray<string> => reports.flatMap(({ found }) => found)

const prefix = "REPORT "
