import { systemClock } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/logger.ts";
import { defaultRegistryConfig } from "../src/registry/config.ts";
import { openRegistry } from "../src/registry/registry.ts";

/** The image registry in a process of its own, on a free port; it tells its parent the address. */
const config = defaultRegistryConfig(process.argv[2] ?? "");
const registry = await openRegistry(
  { ...config, http: { ...config.http, addr: "127.0.0.1:0" } },
  { clock: systemClock, logger: silentLogger },
);
process.send?.(registry.address);
process.once("disconnect", () => process.exit(0));
