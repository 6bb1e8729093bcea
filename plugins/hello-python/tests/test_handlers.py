"""The handlers in Python, without a host."""

import json
import unittest
from types import SimpleNamespace as Record

from componentize_py_types import Err
from handlers import on_click, on_link


def click(form=None):
    return Record(operator=Record(open_id="ou_1"), action=Record(tag="button", form_value=form))


class Handlers(unittest.TestCase):
    def test_a_click_is_answered_with_a_card_that_names_who_clicked(self):
        reply = on_click(click())
        self.assertEqual(reply.toast.content, "Hello from Python")
        self.assertIn("<at id=ou_1></at>", reply.card.value)

    def test_a_form_is_shown_as_it_was_filled_in(self):
        elements = json.loads(on_click(click('{"days":"3"}')).card.value)["body"]["elements"]
        self.assertEqual(elements[1]["content"], "**days**: 3")

    def test_what_is_no_form_is_a_failure(self):
        with self.assertRaises(Err):
            on_click(click("{"))

    def test_a_link_is_shown_as_its_host_and_its_path(self):
        title = lambda url: on_link(Record(url=url)).inline.title
        self.assertEqual(title("https://a.example/b/c?d=e"), "a.example · /b/c")
        self.assertEqual(title("not a link"), "not a link")


if __name__ == "__main__":
    unittest.main()
