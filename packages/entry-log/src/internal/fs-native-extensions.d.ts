/** The part of `fs-native-extensions` 1 that is used here; the package ships no types. */
declare module "fs-native-extensions" {
  /**
   * Takes an exclusive lock on the file behind a descriptor and answers true, or answers false at once if another
   * descriptor, of this process or of any other, has it. The lock goes when the descriptor is closed.
   */
  export const tryLock: (descriptor: number) => boolean
}
