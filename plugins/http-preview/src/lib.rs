//! Shows a page's own title in place of its link. The operator grants the addresses that it may request.

use aviary_sdk::http::Request;
use aviary_sdk::{Failure, PreviewReply, PreviewRequest};

aviary_sdk::export!(link_preview: on_link);

/// Maximum characters of a title; readers do not look at more.
const LONGEST: usize = 80;

fn on_link(link: PreviewRequest) -> Result<PreviewReply, Failure> {
    // The request may take long: until then users see the bare link, and the host inserts the title when it arrives.
    let page = Request::get(&link.url).header("accept", "text/html").send()?;
    if page.status != 200 {
        return Err(Failure::internal(format_args!("{} for {}", page.status, link.url)));
    }
    let title = title(&page.text()).ok_or_else(|| Failure::internal("a page without a title"))?;
    Ok(PreviewReply::titled(title))
}

/// Extracts the text of `<title>` as one line.
fn title(page: &str) -> Option<String> {
    // Only ASCII letters change, so byte positions in both texts agree.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let words: Vec<_> = page[start..end].split_whitespace().collect();
    let mut title = words.join(" ");
    for (escaped, plain) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        title = title.replace(escaped, plain);
    }
    if title.chars().count() > LONGEST {
        title = title.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_title_is_one_line_of_text() {
        let of = |page: &str| title(page);
        assert_eq!(of("<html><title>Aviary</title>").as_deref(), Some("Aviary"));
        assert_eq!(of("<TITLE lang=\"zh\">\n 飞书\n 文档 </TITLE>").as_deref(), Some("飞书 文档"));
        assert_eq!(of("<title>a &lt;b&gt; &amp;lt; c</title>").as_deref(), Some("a <b> &lt; c"));
        assert_eq!(
            of(&format!("<title>{}</title>", "字".repeat(200))).map(|title| title.chars().count()),
            Some(80)
        );
        for without in ["", "<title>", "<title></title>", "<title> \n </title>", "<p>title</p>"] {
            assert_eq!(of(without), None, "{without}");
        }
    }
}
