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
      en: "signature where a key or identity is given, else checksums where there are some",
      ja: "鍵や署名者の指定があれば signature、なければチェックサムがある場合だけ確認",
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
  verifyIdentity: {
    group: "verify",
    value: "NAME",
    kind: kind.text,
    help: {
      en: "whom the certificate of a signature has to name: a workflow's URL or a mail address; * is anything",
      ja: "署名の証明書に書かれているべき署名者: ワークフローの URL かメールアドレス。* は任意の文字列",
    },
  },
  verifyIssuer: {
    group: "verify",
    value: "URL",
    kind: kind.text,
    help: {
      en: "who has to have vouched for that name, such as https://token.actions.githubusercontent.com",
      ja: "その署名者を認証したべき発行元。例: https://token.actions.githubusercontent.com",
    },
  },
  verifyTrustRoot: {
    group: "verify",
    value: "FILE",
    kind: kind.file,
    help: {
      en: "Sigstore's trusted_root.json: the authorities and logs that certificates are held against",
      ja: "証明書の検証に使う認証局とログ: Sigstore の trusted_root.json",
    },
  },
  verifyPredicate: {
    group: "verify",
    value: "TYPE",
    kind: kind.text,
    fallbackHelp: {
      en: "a signature or a provenance will do",
      ja: "署名または来歴のどちらか",
    },
    help: {
      en: "the kind of attestation that is demanded: its URI, or a short name of cosign such as slsaprovenance1",
      ja: "要求する証明の種類: URI、または slsaprovenance1 のような cosign の短縮名",
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
