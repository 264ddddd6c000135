/**
 * What a run has measured. Pure.
 */
import type { EngineName } from "./Engines.ts"

/** Something that is measured. */
export interface Measure {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly better: "more" | "less"
  /** Whether it is in the chart too. */
  readonly isCharted: boolean
}

/** A measure, and the value of each turn of each engine that took part. */
export interface Row extends Measure {
  readonly values: Readonly<Partial<Record<EngineName, ReadonlyArray<number>>>>
}

/** An engine that took part. */
export interface Participant {
  readonly name: EngineName
  readonly title: string
  readonly version: string
  /** The engine that it is held against, if it is no peer. */
  readonly variantOf?: EngineName | undefined
}

/** What was measured with so many entries. */
export interface SizeReport {
  readonly entries: number
  readonly rows: ReadonlyArray<Row>
}

export interface Report {
  readonly date: string
  readonly machine: string
  readonly turns: number
  readonly seed: number
  readonly engines: ReadonlyArray<Participant>
  readonly sizes: ReadonlyArray<SizeReport>
}

/** The median of the turns of an engine, or `undefined` if it took no part. */
export const medianOf = (row: Row, engine: EngineName): number | undefined => {
  const sorted = [...(row.values[engine] ?? [])].toSorted((left, right) => left - right)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)]
  const lower = sorted[Math.ceil(middle) - 1]
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2
}

/** How many times better ours is than a peer; `undefined` where one of them took no part, or took no time at all. */
export const ratioTo = (row: Row, peer: EngineName): number | undefined => {
  const ours = medianOf(row, "ours")
  const theirs = medianOf(row, peer)
  if (ours === undefined || theirs === undefined) return undefined
  const ratio = row.better === "more" ? ours / theirs : theirs / ours
  return Number.isFinite(ratio) ? ratio : undefined
}

/** How much longer a variant takes than what it is a variant of: 0.1 is a tenth longer. Of a rate only. */
export const costOf = (row: Row, { name, variantOf }: Participant): number | undefined => {
  const rate = medianOf(row, name)
  const base = variantOf === undefined ? undefined : medianOf(row, variantOf)
  return rate === undefined || base === undefined || row.better === "less" ? undefined : base / rate - 1
}

/** Three digits, more only where they are before the point. */
export const format = (value: number): string => {
  if (value === 0) return "0"
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString("en-US", {
    minimumFractionDigits: Math.min(digits, 2),
    maximumFractionDigits: Math.min(digits, 2)
  })
}

/** A count in words: 1 M, 250 k. */
export const count = (value: number): string =>
  value >= 1e6 ? `${format2(value / 1e6)} M` : value >= 1e3 ? `${format2(value / 1e3)} k` : String(value)

const format2 = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 2 })
