import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { CredentialSource } from "../../oci/credentials.ts";
import type { Observe } from "../event.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { AskedPolicy } from "../verify/policy.ts";

/** What a driver is given to work with. */
export interface RegistryParts {
  http: HttpClient;
  clock: Clock;
  environment: Environment;
  /** Told of the rate limit, where the registry names one. */
  observe?: Observe;
  /** What a release is made of in an image registry: files, unless told. */
  content?: "files" | "images";
  /** Instead of those that the environment and Docker's config name. */
  credentials?: CredentialSource;
}

/** What a registry URL says beyond where the registry is. */
export interface QueryRules {
  preRelease: boolean;
  artifact: string | undefined;
  /** A range of versions (`^1.2`, `>=2 <3`), none outside of which is chosen. */
  constraint?: string | undefined;
  /** The format of calendar versions, such as `YYYY.0M.MICRO`; semantic versions without. */
  calver?: string | undefined;
  /** What has to vouch for a release. */
  verify?: AskedPolicy | undefined;
}

export interface OpenedReleaseRegistry {
  registry: ReleaseRegistry;
  rules: QueryRules;
  /** Whether the images it names are to be had by plain HTTP. */
  plainHttp?: boolean;
}
