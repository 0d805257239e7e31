import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { openJoined } from "../../base/joined.ts";
import { labelKeys, labelsOf } from "./replica.ts";
import { type Container, ContainerError, type ContainerRuntime, type LogLine } from "./runtime.ts";

/** A line that a container of an app has written. */
export interface ReplicaLine extends LogLine {
  /** The container's name. */
  replica: string;
  tag: string;
}

export interface WantedLines {
  /** So many of the past. */
  most: number;
  /** Of the past, none before. */
  since: Date | undefined;
  /** Whether it goes on with what is written from now on, until the call ends. */
  follow: boolean;
}

const betweenLooksMs = 500;

/** What the containers of the app in `directory` have written, those of the past by their times. */
export async function* readContainerOutput(
  directory: string,
  { most, since, follow }: WantedLines,
  { runtime, clock }: { runtime: ContainerRuntime; clock: Clock },
  call: Call,
): AsyncGenerator<ReplicaLine> {
  const begun = clock.now().toISOString().replace("Z", "000000Z"); // as of lines, to the nanosecond
  const newest = new Map<string, string>();
  const past: ReplicaLine[] = [];
  for (const container of await runtime.list(labelsOf({ directory }), call)) {
    newest.set(container.id, begun);
    for await (const line of linesOf(container, { tail: most, since: since?.toISOString() })) {
      if (line.at > begun) newest.set(container.id, line.at);
      past.push(line);
    }
  }
  past.sort((a, b) => (a.at < b.at ? -1 : 1));
  yield* past.slice(Math.max(0, past.length - most));
  if (follow) yield* followed();

  /** One that is gone has written all that it will. */
  async function* linesOf(
    container: Container,
    from: { tail?: number; since?: string | undefined; follow?: boolean },
  ) {
    const about = { replica: container.name, tag: container.labels[labelKeys.version] ?? "" };
    try {
      for await (const line of runtime.logs(container.id, from, call)) yield { ...about, ...line };
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== "NO_CONTAINER") throw error;
    }
  }

  async function* followed(): AsyncGenerator<ReplicaLine> {
    const open = new Set<string>();
    const joined = openJoined<ReplicaLine>({
      [Symbol.asyncIterator]: () => ({ next: lookForOthers }),
    });
    yield* joined;

    /** Those that come, or are started again, are read too; an engine that is gone may come back. */
    async function lookForOthers(): Promise<never> {
      for (;;) {
        const all = await runtime.list(labelsOf({ directory }), call).catch(noneOf);
        for (const container of all) {
          const { id, state } = container;
          if (open.has(id) || (newest.has(id) && state !== "running")) continue;
          open.add(id);
          joined.add(toItsEnd(container));
        }
        await clock.sleep(betweenLooksMs, call);
      }
    }

    async function* toItsEnd(container: Container): AsyncGenerator<ReplicaLine> {
      const { id } = container;
      const last = newest.get(id) ?? "";
      const from = { follow: true, ...(last !== "" && { since: last }) };
      newest.set(id, last);
      try {
        for await (const line of linesOf(container, from)) {
          if (line.at <= last) continue;
          newest.set(id, line.at);
          yield line;
        }
      } catch (error) {
        noneOf(error);
      } finally {
        open.delete(id);
      }
    }
  }
}

function noneOf(error: unknown): never[] {
  if (error instanceof ContainerError) return [];
  throw error;
}
