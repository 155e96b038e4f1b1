import { z } from 'zod';

/**
 * zod words every issue, also one that nobody prints, and for that it makes a text of the `constructor.name` of what it was given: where
 * that is none, as in `{ constructor: { name: {} } }` without prototypes, it throws. Here what cannot be worded is called invalid.
 */
const { localeError } = z.locales.en();
z.config({
  localeError: (issue) => {
    try {
      return localeError(issue);
    } catch {
      return 'invalid';
    }
  },
});
