/**
 * What a campaign finds: kept up to a bound, so that one that finds something
 * in every round still ends and can be read.
 */

/** Gathers findings. */
export class Findings {
  readonly #kept: Array<string> = []
  #count = 0

  /** Notes a finding. */
  add(finding: string): void {
    this.#count += 1
    if (this.#kept.length < maxKept) this.#kept.push(finding)
  }

  /** Notes a finding unless something holds, and answers whether it does. */
  check(holds: boolean, finding: string): boolean {
    if (!holds) this.add(finding)
    return holds
  }

  /** Whether there is none. */
  get none(): boolean {
    return this.#count === 0
  }

  /** The findings, and how many more there were. */
  get all(): ReadonlyArray<string> {
    const more = this.#count - this.#kept.length
    return more > 0 ? [...this.#kept, `and ${more} more`] : this.#kept
  }
}

const maxKept = 10
