import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { openDescriptorNotification } from "./notify-descriptor.ts";
import { openSocketNotification, receiver } from "./notify-socket.ts";

/** How an app says by itself that it is ready. */
export type NotifyBy =
  /** A line, to a descriptor that it inherits under this number. */
  | { by: "descriptor"; number: number }
  /** sd_notify(3). */
  | { by: "systemd" };

/** What one generation has said of itself. */
export interface Notification {
  readonly isReady: boolean;
  /** Why it is not: the end of a sentence that begins with "it". */
  readonly missing: string;
  /** What it is started with. */
  readonly variables: Environment;
  readonly inherited: { readonly number: number; readonly fd: number } | undefined;
  /** It has the descriptor now, or never will. */
  given(): void;
  /** Nobody listens any more; an app that goes on to speak is not disturbed by that. */
  close(): void;
}

/** Makes ready to listen, before the generation is started. */
export type OpenNotification = (call: Call) => Promise<Notification>;

interface NotifyPlace {
  /** Of the app; holds `.dewy/`. */
  directory: string;
  environment: Environment;
}

/** @throws {ConfigError} where this host lacks what is needed to listen */
export async function openNotify(
  by: NotifyBy,
  { directory, environment }: NotifyPlace,
): Promise<OpenNotification> {
  if (by.by === "descriptor") {
    return (call) => openDescriptorNotification(join(directory, ".dewy"), by.number, call);
  }
  const program = await programOnPath(receiver, environment.PATH);
  if (program === undefined) {
    throw new ConfigError(`--health-notify systemd: ${receiver} is not on PATH`, {
      hint: "install the package systemd, or let the app write a line to a descriptor: --health-notify fd:N",
    });
  }
  return (call) => openSocketNotification(program, call);
}

async function programOnPath(name: string, path = ""): Promise<string | undefined> {
  for (const directory of path.split(delimiter).filter(Boolean)) {
    const program = join(directory, name);
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return program;
  }
  return undefined;
}
