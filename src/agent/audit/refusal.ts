import { ReleaseRegistryError } from "../release.ts";

/**
 * Lets what may not be written fail once, and then no more until it was written again: to follow a
 * registry takes no more than reading it, and nobody wants to be told so at each deployment.
 */
export function openRefusals(): (write: () => Promise<void>) => Promise<void> {
  let isKnown = false;
  return async (write) => {
    try {
      await write();
      isKnown = false;
    } catch (error) {
      const isRefusal = error instanceof ReleaseRegistryError && error.code === "UNAUTHORIZED";
      if (!isRefusal) throw error;
      if (isKnown) return;
      isKnown = true;
      throw error;
    }
  };
}
