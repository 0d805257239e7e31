import { type ApiParts, jsonAnswer, type Methods } from "./exchange.ts";

/** `/api/v1/quotas` */
export function quotasMethods({ quotas }: Pick<ApiParts, "quotas">): Methods {
  return {
    async GET() {
      const states = quotas.states().map(({ repositories, size, used, countedAt }) => {
        return { repositories, size, used, countedAt: countedAt ?? null };
      });
      return jsonAnswer(200, { quotas: states });
    },
  };
}
