// The benchmark's plugin on StarlingMonkey: a click in, a toast with the one who clicked out.

export const cardActionHandler = {
  handle: ({ operator }) => ({
    toast: { kind: "info", content: `Clicked by ${operator.openId}`, i18n: [] },
  }),
};
