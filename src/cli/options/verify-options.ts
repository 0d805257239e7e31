import { verifyPolicies } from "../../agent/verify/policy.ts";
import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about what has to vouch for a release. */
export const verifyOptions = {
  verify: {
    group: "verify",
    value: "POLICY",
    kind: kind.choice(verifyPolicies),
    fallbackHelp: {
      en: "signature where a key is given, else checksums where there are some",
      ja: "鍵があれば signature、なければチェックサムがある場合だけ確認",
    },
    help: {
      en: "what has to vouch for a release before it is unpacked: off, checksum or signature",
      ja: "展開の前にリリースを保証するべきもの: off、checksum、signature",
    },
  },
  verifyKey: {
    group: "verify",
    value: "KEY",
    kind: kind.keys,
    separator: /\s+/,
    help: {
      en: "the public key of a publisher who is trusted: FILE, or minisign:RWQ…; may be repeated",
      ja: "信頼する発行者の公開鍵: FILE または minisign:RWQ…。繰り返し指定できる",
    },
  },
  verifyMaxAge: {
    group: "verify",
    value: "TIME",
    kind: kind.age,
    help: {
      en: "deploy nothing that was signed longer ago, such as 90d; for signatures",
      ja: "署名からこれより長く経ったものはデプロイしない（90d など）。署名を検証する場合",
    },
  },
} as const satisfies Record<string, Option>;
