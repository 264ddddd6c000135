/**
 * A campaign: work of one kind, driven by a seed for some time, that must never
 * find anything.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/** How long and with which numbers a campaign works. */
export interface Settings {
  /** Decides everything that the campaign decides; the machine still decides the timing. */
  readonly seed: number
  /** How many rounds to do at least, as a part of what the campaign must show: 1 is all of it. */
  readonly scale: number
  /** Goes on for so many seconds after those rounds. */
  readonly extraSeconds: number
}

/** What a campaign did. */
export interface Outcome {
  /** A line for the reader, such as `300 kills, 41,210 acknowledged entries, none lost`. */
  readonly did: string
  /** What it found; empty if all held. Each says enough to look for it. */
  readonly found: ReadonlyArray<string>
}

/** A campaign could not be run here, such as one that needs Java. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly message: string }> {}

/** A campaign. */
export interface Campaign {
  /** As it is named on the command line: `close-storm`. */
  readonly name: string
  /** What must hold, in a sentence. */
  readonly promise: string
  /** Whether it keeps no more than one core busy, so that another such one runs beside it. */
  readonly isNarrow?: boolean | undefined
  readonly run: (settings: Settings) => Effect.Effect<Outcome, Unavailable>
}
