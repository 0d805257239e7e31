import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { CredentialSource } from "../../oci/credentials.ts";
import type { ReleaseRegistry } from "../release.ts";

/** What a driver is given to work with. */
export interface RegistryParts {
  http: HttpClient;
  clock: Clock;
  environment: Environment;
  /** Instead of those that the environment and Docker's config name. */
  credentials?: CredentialSource;
}

/** What a registry URL says beyond where the registry is. */
export interface QueryRules {
  preRelease: boolean;
  artifact: string | undefined;
}

export interface OpenedReleaseRegistry {
  registry: ReleaseRegistry;
  rules: QueryRules;
}
