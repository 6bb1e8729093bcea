//! Answers the buttons of a leave request: a toast in the user's language, and the card again with the
//! decision, who made it, and no buttons.

use aviary_sdk::card::{CardBuilder, CardHeader, HeaderColour, Text};
use aviary_sdk::{CardAction, CardReply, Failure, Info, Route, Toast};

aviary_sdk::export!(card_action: on_click, info: describe);

fn describe() -> Info {
    Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .route(Route::default().value_at("/kind", "leave"))
}

enum Decision {
    Approve,
    Reject,
}

impl Decision {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "approve" => Ok(Self::Approve),
            "reject" => Ok(Self::Reject),
            _ => Err(Failure::User(
                Toast::error("This button asks for an unknown decision")
                    .with("en_us", "This button asks for an unknown decision")
                    .with("zh_cn", "无法识别该按钮的操作"),
            )),
        }
    }

    fn toast(&self) -> Toast {
        match self {
            Self::Approve => {
                Toast::success("Approved").with("en_us", "Approved").with("zh_cn", "已批准")
            }
            Self::Reject => {
                Toast::warning("Rejected").with("en_us", "Rejected").with("zh_cn", "已拒绝")
            }
        }
    }

    fn header(&self) -> CardHeader {
        let (title, colour) = match self {
            Self::Approve => {
                (Text::new("Leave approved").with("zh_cn", "请假已批准"), HeaderColour::Green)
            }
            Self::Reject => {
                (Text::new("Leave rejected").with("zh_cn", "请假已拒绝"), HeaderColour::Red)
            }
        };
        CardHeader::new(title).colour(colour)
    }
}

fn on_click(action: CardAction) -> Result<CardReply, Failure> {
    let value = action.action.value_json()?;
    let decision = Decision::parse(value["decision"].as_str().unwrap_or_default())?;
    let applicant = value["applicant"].as_str().unwrap_or("?");
    let decider = &action.operator.open_id;

    let card = CardBuilder::new()
        .header(decision.header())
        .text(
            Text::new(format!("Applicant: {applicant}"))
                .with("zh_cn", format!("申请人：{applicant}")),
        )
        .hr()
        .markdown(
            Text::new(format!("Decided by <at id={decider}></at>"))
                .with("zh_cn", format!("审批人：<at id={decider}></at>")),
        );
    Ok(CardReply::card(card).with_toast(decision.toast()))
}
