import * as v from "valibot";
import { isRepository } from "../../oci/reference.ts";
import { YesOrNo } from "../config-values.ts";
import { globPattern } from "../repository-glob.ts";
import type { Grant, Wish } from "./authenticator.ts";

/** What may be done in a repository; `push` includes `pull`. */
export const RuleAction = v.picklist(
  ["pull", "push", "delete", "*"],
  "write pull, push, delete or *",
);

const RuleRepository = v.pipe(
  v.string("write a repository, such as team/*"),
  v.regex(
    /^(?:[a-z0-9._/*-]|\{[\w.-]+\})+$/,
    "write a repository, such as team/*, in lower case; or with a claim, such as ci/{repository}",
  ),
);

const Names = v.array(
  v.pipe(v.string("write a name"), v.nonEmpty("write a name")),
  "write a list of names",
);

/**
 * One line of `auth.access`: the users and groups it names, or those who did not log in, may do `actions` in
 * the repositories that match. There is no rule that forbids; what no rule allows is not allowed.
 */
export const AccessRule = v.pipe(
  v.strictObject({
    /** `{name}` is what the claim of that name says, as far as it can be a repository. */
    repository: RuleRepository,
    /** `push` includes `pull`: nobody can push without looking at what is there. */
    actions: v.pipe(
      v.array(RuleAction, "write a list, such as [pull, push]"),
      v.minLength(1, "name an action: pull, push, delete or *"),
    ),
    /** By name; `*` is everybody who logged in. */
    users: v.optional(Names, []),
    /** By their names in the directory that the user is from. */
    groups: v.optional(Names, []),
    /** What tokens of a provider must all say; `*` and `**` as in `repository`. */
    claims: v.optional(v.record(v.string(), v.pipe(v.string("write it in quotes"), v.nonEmpty()))),
    anonymous: v.optional(YesOrNo, false),
  }),
  v.check(
    ({ users, groups, claims = {}, anonymous }) =>
      anonymous || users.length + groups.length + Object.keys(claims).length > 0,
    'say who: users: [name, …], groups: [name, …], claims: {name: value}, users: ["*"] for all who log in, or anonymous: true',
  ),
  v.check(
    ({ repository, users, groups, claims, anonymous }) =>
      !repository.includes("{") ||
      (claims !== undefined && !anonymous && users.length + groups.length === 0),
    "a repository with a claim in it is for those whom claims names: say which, and nobody else",
  ),
);
export type AccessRule = v.InferOutput<typeof AccessRule>;

/** Somebody who logged in, and what is known of them. */
export interface Person {
  user: string;
  groups?: readonly string[];
  claims?: Readonly<Record<string, readonly string[]>>;
}

export interface AccessRules {
  /** What a person may do, or somebody who did not log in. */
  grantTo(person: Person | undefined): Grant;
  /** The groups and claims that any rule asks for: no others need be known. */
  groups: ReadonlySet<string>;
  claims: ReadonlySet<string>;
}

export function accessRulesOf(rules: readonly AccessRule[]): AccessRules {
  const compiled = rules.map((rule) => ({ ...rule, pattern: globPattern(rule.repository) }));

  return {
    groups: new Set(rules.flatMap(({ groups }) => groups)),
    claims: new Set(rules.flatMap(claimsIn)),

    grantTo(person) {
      const own = compiled.flatMap((rule) => (appliesTo(rule, person) ? filled(rule, person) : []));
      const mayDo = (wish: Wish) =>
        own.some(({ pattern, actions }) => pattern.test(wish.name) && includes(actions, wish));
      const pull = (name: string): Wish => ({ type: "repository", name, action: "pull" });
      const readsAll = own.some(
        ({ repository, actions }) => repository === "**" && includes(actions, pull("")),
      );
      /** The whole registry is the business of those who may do everything everywhere. */
      const ofRegistry = ({ name }: Wish) => {
        if (name === "catalog") return own.some(({ actions }) => includes(actions, pull("")));
        const isAdministrator = ({ repository, actions }: AccessRule) =>
          repository === "**" && actions.includes("*");
        return isForAdministrators(name) && own.some(isAdministrator);
      };
      return {
        user: person?.user,
        reach: readsAll ? "everything" : "some",
        lists: (repository) => mayDo(pull(repository)),
        allows: (wish) => (wish.type === "repository" ? mayDo(wish) : ofRegistry(wish)),
      };
    },
  };
}

function appliesTo(
  { users, groups, claims, anonymous }: AccessRule,
  person: Person | undefined,
): boolean {
  if (anonymous || person === undefined) return anonymous;
  if (users.includes("*") || users.includes(person.user)) return true;
  if (groups.some((group) => person.groups?.includes(group))) return true;
  const wanted = Object.entries(claims ?? {});
  const has = ([name, glob]: [string, string]) =>
    (person.claims?.[name] ?? []).some((text) => globPattern(glob).test(text));
  return wanted.length > 0 && wanted.every(has);
}

const placeholder = /\{([\w.-]+)\}/g;

function claimsIn({ repository, claims = {} }: AccessRule): string[] {
  const placed = [...repository.matchAll(placeholder)].map(([, name = ""]) => name);
  return [...Object.keys(claims), ...placed];
}

/** With what the claims say in their places; nothing, when that is no name of a repository. */
function filled<Rule extends AccessRule & { pattern: RegExp }>(
  rule: Rule,
  person: Person | undefined,
): Rule[] {
  if (!rule.repository.includes("{")) return [rule];
  let isWhole = true;
  const repository = rule.repository.replace(placeholder, (_all, name: string) => {
    const [text = "", ...more] = person?.claims?.[name] ?? [];
    const part = text.toLowerCase();
    if (more.length > 0 || !isRepository(part)) isWhole = false;
    return part;
  });
  return isWhole ? [{ ...rule, repository, pattern: globPattern(repository) }] : [];
}

function includes(actions: AccessRule["actions"], { action }: Wish): boolean {
  if (actions.includes("*") || actions.includes(action)) return true;
  return action === "pull" && actions.includes("push");
}

function isForAdministrators(name: string): boolean {
  return ["garbage", "quotas", "scrubs"].includes(name);
}
