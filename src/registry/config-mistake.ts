/** What is wrong with a configuration that can be read, and where. */
export interface Mistake {
  path: readonly string[];
  sentence: string;
}

/** Runs `work` for its mistakes; what it throws on purpose is one of `path`. */
export type Look = (path: string, work: () => Promise<readonly string[]>) => Promise<void>;
