import { openListeners } from "../supervisor/listeners.ts";
import type { ListeningSocket } from "../supervisor/listening-socket.ts";

/**
 * The ports of all apps of a process. One that goes from an app to its successor stays open in
 * between: who connects meanwhile waits in the kernel, and is not refused.
 */
export interface SharedPorts {
  /** As `openListeners`; a port that was handed over or left open is taken. */
  listen: typeof openListeners;
  /** Leaves `ports` open when the app that has them closes them; each until somebody listens on it. */
  hold(ports: readonly number[]): void;
  /** Closes what was left open, and holds it no longer; what an app has is not touched. */
  release(isWanted: (port: number) => boolean): void;
}

/** @param handed sockets that this process was started with: never closed, and anybody's to use */
export function openSharedPorts(
  open: typeof openListeners = openListeners,
  handed: readonly ListeningSocket[] = [],
): SharedPorts {
  const held = new Set<number>();
  const leftOpen = new Map<number, ListeningSocket>();

  return {
    async listen(ports, call, found = []) {
      const taken = takeOf(ports, found);
      const missing = ports.filter((port) => !taken.has(port));
      const opened = await open(missing, call).catch((error) => {
        for (const socket of taken.values()) if (!found.includes(socket)) leave(socket);
        throw error;
      });
      const next = opened.sockets.values();
      const sockets = ports.flatMap((port) => taken.get(port) ?? next.next().value ?? []);
      for (const port of ports) held.delete(port);
      return {
        sockets,
        outlive: sockets.every((socket) => handed.includes(socket)),
        wereOpen: taken.size > 0,
        close() {
          for (const socket of sockets) leave(socket);
        },
      };
    },

    hold(ports) {
      for (const port of ports) held.add(port);
    },

    release(isWanted) {
      for (const port of held) if (!isWanted(port)) held.delete(port);
      for (const [port, socket] of leftOpen) {
        if (isWanted(port)) continue;
        leftOpen.delete(port);
        socket.close();
      }
    },
  };

  function takeOf(
    ports: readonly number[],
    found: readonly ListeningSocket[],
  ): ReadonlyMap<number, ListeningSocket> {
    const open = [...handed, ...leftOpen.values(), ...found];
    const taken = new Map<number, ListeningSocket>();
    for (const port of ports) {
      const socket = open.find((each) => each.port === port);
      if (socket) taken.set(port, socket);
      leftOpen.delete(port);
    }
    return taken;
  }

  function leave(socket: ListeningSocket): void {
    if (handed.includes(socket)) return;
    if (held.has(socket.port)) leftOpen.set(socket.port, socket);
    else socket.close();
  }
}
