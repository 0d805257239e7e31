import type { Call } from "../../base/call.ts";

/** Lets many wait for what one of them will bring about. */
export interface Changes {
  /** Whoever waits looks again, all in one turn of the event loop. */
  tell(): void;
  /** Resolves when `condition` holds. An abort is not heard while `unless` holds. */
  until(condition: () => boolean, call: Call, options?: { unless?: () => boolean }): Promise<void>;
}

export function openChanges(): Changes {
  let looks: (() => void)[] = [];
  return {
    tell() {
      const before = looks;
      looks = [];
      for (const look of before) look();
    },

    async until(condition, { signal }, { unless = () => false } = {}) {
      const wake = () => {
        for (const look of looks.splice(0)) look();
      };
      signal.addEventListener("abort", wake);
      try {
        while (!condition()) {
          if (signal.aborted && !unless()) throw signal.reason;
          await new Promise<void>((resolve) => looks.push(resolve));
        }
      } finally {
        signal.removeEventListener("abort", wake);
      }
    },
  };
}
