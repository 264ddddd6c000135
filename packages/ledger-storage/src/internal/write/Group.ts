/**
 * What shares one write and one sync: requests in the order of their calls, and
 * one buffer in which their frames stand one after another.
 *
 * A request puts into the buffer what it knows when it comes, so payloads are
 * copied once, at the call. Ids and checksums are filled in when the group is
 * planned.
 */
import type { Request } from "./Request.ts"

/** A request, and where its frames stand. */
export interface Placed {
  readonly request: Request
  /** In the buffer of the group. */
  readonly start: number
  readonly end: number
}

/** Requests that are written together. */
export class Group {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly placed: Array<Placed> = []
  #end = 0
  #frames = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Whether so many bytes in so many frames fit beside what is there. */
  hasRoom(size: number, frames: number): boolean {
    return this.#end + size <= this.bytes.length && this.#frames + frames <= maxFrames
  }

  /** Adds a request. Answers false, and leaves the group as it was, if the payloads have changed since they were checked. */
  add(request: Request): boolean {
    const start = this.#end
    const end = start + request.size
    if (!request.put(this.bytes, this.view, start)) return false
    this.placed.push({ request, start, end })
    this.#end = end
    this.#frames += request.frames
    return true
  }
}

/** How many bytes a group holds; a request that has more is a group of its own. */
export const maxSize: number = 4 * 1024 * 1024

/** How many frames a group holds, so that no group keeps the main thread busy for long. */
export const maxFrames = 8192
