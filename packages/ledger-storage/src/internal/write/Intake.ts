/**
 * Gathers requests into groups, in the order in which they come, and hands the
 * groups to the one who writes them.
 *
 * The last group is open: requests join it until it is full or taken. Buffers
 * are used again, because fresh memory costs more than the copy into it.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { Group, maxSize } from "./Group.ts"
import type { Request } from "./Request.ts"

/** Requests on their way to be written. */
export class Intake {
  /** In the order in which they are to be taken; the last one is open. */
  #groups: Array<Group> = []
  readonly #spare: Array<Uint8Array> = []
  readonly #arrived = Latch.makeUnsafe(false)
  #ended = false

  /** Adds a request to the open group. Answers false if its payloads have changed since they were checked. */
  add(request: Request): boolean {
    const added = this.#groupFor(request).add(request)
    this.#arrived.openUnsafe()
    return added
  }

  /** The next group, as soon as there is one; `undefined` once the intake has ended and everything has been taken. */
  get next(): Effect.Effect<Group | undefined> {
    return Effect.suspend(() => {
      if (this.#groups.length > 0 || this.#ended) return Effect.sync(() => this.#take())
      this.#arrived.closeUnsafe()
      // Those who call at the same time share the group, so they get their turn before it is taken.
      return this.#arrived.await.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.sync(() => this.#take())))
    })
  }

  /** Takes the buffer of a group that is done back. */
  recycle(group: Group): void {
    if (group.bytes.length === maxSize && this.#spare.length < maxSpare) this.#spare.push(group.bytes)
  }

  /** Nothing comes any more. */
  end(): void {
    this.#ended = true
    this.#arrived.openUnsafe()
  }

  #take(): Group | undefined {
    return this.#groups.shift()
  }

  #groupFor({ frames, size }: Request): Group {
    const open = this.#groups.at(-1)
    if (open?.hasRoom(size, frames) === true) return open
    const group = new Group(size > maxSize ? new Uint8Array(size) : (this.#spare.pop() ?? new Uint8Array(maxSize)))
    this.#groups.push(group)
    return group
  }
}

/** How many buffers are kept for the next groups. */
const maxSpare = 2
