import * as v from "valibot";
import { type Authenticator, unlimitedGrant, type Visit } from "./authenticator.ts";
import { ChallengeText } from "./options.ts";
import { scopeOf } from "./scope.ts";

export const SillyOptions = v.strictObject({ realm: ChallengeText, service: ChallengeText });
export type SillyOptions = v.InferOutput<typeof SillyOptions>;

/** Distribution's, for trying out clients: whoever shows anything at all is in. */
export function openSilly({ realm, service }: SillyOptions): Authenticator {
  return {
    identify: async () => unlimitedGrant("silly"),
    challenge: ({ wishes }: Visit) => ({
      scheme: "bearer",
      parameters: { realm, service, scope: scopeOf(wishes) },
    }),
    close: async () => {},
  };
}
