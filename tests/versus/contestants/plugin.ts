// The benchmark's plugin on QuickJS: a click in, a toast with the one who clicked out.

import type { CardAction, CardReply } from "./contract";

export const cardActionHandler = {
  handle: ({ operator }: CardAction): CardReply => ({
    toast: { kind: "info", content: `Clicked by ${operator.openId}`, i18n: [] },
    card: null,
  }),
};
